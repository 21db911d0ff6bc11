package allocate_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pointsman/pointsman/controlplane/internal/etcdtest"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// TestIntentsAreKeptCompiled: whoever tampers with an intent, the compilers of several replicas put it right, and do so once.
func TestIntentsAreKeptCompiled(t *testing.T) {
	endpoint := etcdtest.Start(t)
	f := build(t, start(t, endpoint, time.Second), 2, 2)
	start(t, endpoint, time.Second)
	start(t, endpoint, time.Second)
	n := f.network(t, "blue", "10.1.0.0/24", "fd01::/64")
	a := f.allocate(t, "blue", "machine01")
	f.reached(t, a.ID)
	port := a.Ports[0]
	key := keys.PortIntent(port.Switch, port.Port)
	right := intentOf(f.st, port)
	for name, tamper := range map[string]func(*netmodel.PortIntent){
		"another network's VRF": func(i *netmodel.PortIntent) { i.VRF, i.VNI = "Vrf199999", 199999 },
		"provisioning":          func(i *netmodel.PortIntent) { i.Mode = netmodel.ModeProvisioning },
		"a foreign grant":       func(i *netmodel.PortIntent) { i.Grants = append(i.Grants, netmodel.Grant{Prefix: n.Prefixes[0]}) },
	} {
		wrong := right
		wrong.Grants = slices.Clone(right.Grants)
		wrong.Generation += 5
		tamper(&wrong)
		write(t, f.st, key, wire.PortIntentCodec, wrong)
		etcdtest.Eventually(t, func() error {
			got := intentOf(f.st, port)
			if got.Generation != wrong.Generation+1 || got.Mode != netmodel.ModeVRF || got.VNI != n.VNI || len(got.Grants) != len(right.Grants) {
				return fmt.Errorf("%s: %+v", name, got)
			}
			right = got
			return nil
		})
	}
	deleted, err := f.st.Client().Delete(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	etcdtest.Eventually(t, func() error {
		var got store.Object[netmodel.PortIntent]
		f.st.Read(func(d *store.Data) { got = d.Intents[store.Port{Switch: port.Switch, Port: port.Port}] })
		// The cache may still hold the deleted one, which is as right.
		if got.CreateRevision <= deleted.Header.Revision || got.Value.Mode != netmodel.ModeVRF || got.Value.Allocation != a.ID {
			return fmt.Errorf("deleted at %d: %+v", deleted.Header.Revision, got)
		}
		return nil
	})
	// When nothing differs nothing is written, by any replica.
	before := etcdtest.All(t, f.st.Client(), keys.Intents)
	time.Sleep(100 * time.Millisecond) // a watch over time, not a wait for something
	if after := etcdtest.All(t, f.st.Client(), keys.Intents); !maps.Equal(before, after) {
		t.Error("replicas rewrite intents that are right")
	}
}

// TestProbes: every spine, and every other leaf that has the VRF, is asked for an allocation's routes as long as it exists.
func TestProbes(t *testing.T) {
	f := build(t, start(t, etcdtest.Start(t), time.Second), 2, 2)
	f.network(t, "blue", "10.1.0.0/24")
	f.network(t, "red", "10.2.0.0/24")
	a, b, c := f.allocate(t, "blue", "machine01"), f.allocate(t, "blue", "machine03"), f.allocate(t, "red", "machine04")
	want := map[string][]string{
		a.ID: {"leaf03", "leaf04", "spine01"}, b.ID: {"leaf01", "leaf02", "spine01"}, c.ID: {"spine01"},
	}
	probes := func() error {
		got := map[string][]string{}
		f.st.Read(func(d *store.Data) {
			for k, o := range d.Probes {
				got[k.Allocation] = append(got[k.Allocation], k.Switch)
				if len(o.Value.Origins) != 2 || len(o.Value.Prefixes) != 1 {
					t.Errorf("%v: %+v", k, o.Value)
				}
			}
		})
		for _, on := range got {
			slices.Sort(on)
		}
		if !maps.EqualFunc(got, want, slices.Equal) {
			return fmt.Errorf("probes %v, want %v", got, want)
		}
		return nil
	}
	etcdtest.Eventually(t, probes)
	if _, err := f.allocations.Release(t.Context(), call, "default", b.ID); err != nil {
		t.Fatal(err)
	}
	want = map[string][]string{a.ID: {"spine01"}, c.ID: {"spine01"}}
	etcdtest.Eventually(t, probes)
}
