package inventory_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/controlplane/internal/compiler"
	"github.com/pointsman/pointsman/controlplane/internal/etcdtest"
	"github.com/pointsman/pointsman/controlplane/internal/inventory"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
	"github.com/pointsman/pointsman/test/simswitch"
)

var call = store.Call{Caller: "test", Method: "Test"}

// replica is one control plane's inventory and compiler.
func replica(t *testing.T, endpoint string, autoAdopt bool) (*inventory.Service, *store.Store) {
	t.Helper()
	var s *inventory.Service
	var c *compiler.Compiler
	st := etcdtest.Store(t, endpoint, func(st *store.Store) {
		s = inventory.New(st, inventory.Options{AutoAdopt: autoAdopt})
		c = compiler.New(st, discard())
	})
	etcdtest.Background(t, c.Run)
	etcdtest.Background(t, s.Run)
	return s, st
}

// leaf is the n-th leaf; two share a rack.
func leaf(n, ports int) netmodel.Switch {
	sw := netmodel.Switch{
		ID: fmt.Sprintf("leaf%02d", n), Role: netmodel.RoleLeaf, Rack: fmt.Sprintf("rack%d", (n+1)/2), Loopback: netip.AddrFrom4([4]byte{10, 255, 0, byte(n)}),
		Provisioning: netmodel.Provisioning{VLAN: 4000, Addresses: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 254, byte(n), 1}), 24)}},
		Ports:        []netmodel.SwitchPort{{Name: "eth0", Role: netmodel.PortUplink}},
	}
	for p := 1; p <= ports; p++ {
		sw.Ports = append(sw.Ports, netmodel.SwitchPort{Name: fmt.Sprintf("swp%d", p), Role: netmodel.PortMachine})
	}
	return sw
}

func spine(n int) netmodel.Switch {
	return netmodel.Switch{
		ID: fmt.Sprintf("spine%02d", n), Role: netmodel.RoleSpine, Loopback: netip.AddrFrom4([4]byte{10, 255, 1, byte(n)}),
		Ports: []netmodel.SwitchPort{{Name: "swp1", Role: netmodel.PortUplink}},
	}
}

func create(t *testing.T, s *inventory.Service, sw netmodel.Switch) netmodel.SwitchView {
	t.Helper()
	v, err := s.CreateSwitch(t.Context(), call, sw)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func refused(t *testing.T, err error, kind store.Kind, says string) {
	t.Helper()
	var r *store.Refusal
	if !errors.As(err, &r) || r.Kind != kind || !strings.Contains(r.Text, says) {
		t.Errorf("got %v, want a refusal of kind %d that says %q", err, kind, says)
	}
}

func TestSwitches(t *testing.T) {
	s, st := replica(t, etcdtest.Start(t), false)
	ctx := t.Context()
	l1, l2 := create(t, s, leaf(1, 3)), create(t, s, leaf(2, 3))
	s1, s2 := create(t, s, spine(1)), create(t, s, spine(2))
	if l1.ASN == l2.ASN || s1.ASN != s2.ASN || l1.ASN == s1.ASN || l1.ASN < netmodel.FirstSwitchASN || l1.ASN > netmodel.LastSwitchASN {
		t.Errorf("ASNs: leaves %d and %d, spines %d and %d", l1.ASN, l2.ASN, s1.ASN, s2.ASN)
	}
	for _, test := range []struct {
		name   string
		change func(*netmodel.Switch)
		kind   store.Kind
		says   string
	}{
		{"same id", func(sw *netmodel.Switch) { sw.ID = "leaf01" }, store.Exists, "leaf01"},
		{"same loopback", func(sw *netmodel.Switch) { sw.Loopback = l1.Loopback }, store.Precondition, "loopback"},
		{"no loopback", func(sw *netmodel.Switch) { sw.Loopback = netip.Addr{} }, store.Invalid, "loopback"},
		{"same ASN", func(sw *netmodel.Switch) { sw.ASN = l1.ASN }, store.Precondition, "ASN"},
		{"a machine's ASN", func(sw *netmodel.Switch) { sw.ASN = netmodel.FirstMachineASN }, store.Invalid, "ASN"},
		{"same provisioning network", func(sw *netmodel.Switch) { sw.Provisioning = l1.Provisioning }, store.Precondition, "provisioning"},
		{"no provisioning VLAN", func(sw *netmodel.Switch) { sw.Provisioning.VLAN = 0 }, store.Invalid, "VLAN"},
		{"no rack", func(sw *netmodel.Switch) { sw.Rack = "" }, store.Invalid, "rack"},
		{"port twice", func(sw *netmodel.Switch) { sw.Ports = append(sw.Ports, sw.Ports[0]) }, store.Invalid, "twice"},
		{"long port name", func(sw *netmodel.Switch) { sw.Ports[0].Name = "Ethernet0123456789" }, store.Invalid, "15"},
		{"MTU", func(sw *netmodel.Switch) { sw.MTU = 576 }, store.Invalid, "MTU"},
		{"spine with another ASN", func(sw *netmodel.Switch) { *sw = spine(3); sw.ASN = netmodel.LastSwitchASN }, store.Precondition, "spines share"},
		{"spine with a machine", func(sw *netmodel.Switch) { *sw = spine(3); sw.Ports[0].Role = netmodel.PortMachine }, store.Invalid, "spine"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sw := leaf(9, 2)
			test.change(&sw)
			_, err := s.CreateSwitch(ctx, call, sw)
			refused(t, err, test.kind, test.says)
		})
	}
	st.Read(func(d *store.Data) {
		if len(d.Intents) != 6 || d.Configs.Value("leaf01").StoreUUID != st.UUID() || d.Configs.Value("leaf01").Generation != 1 {
			t.Errorf("%d intents; configuration %+v", len(d.Intents), d.Configs.Value("leaf01"))
		}
		for at, i := range d.Intents {
			if i.Value.Mode != netmodel.ModeProvisioning || i.Value.Generation != 1 {
				t.Errorf("%v: %+v", at, i.Value)
			}
		}
	})

	// A port goes, one comes; what an agent once reported of a port of that name proves nothing of the new one.
	raw, err := wire.PortStatusCodec.Encode(netmodel.PortStatus{Port: "swp9", AppliedGeneration: 7, Mode: netmodel.ModeProvisioning})
	if err != nil {
		t.Fatal(err)
	}
	put, err := st.Client().Put(ctx, keys.PortStatus("leaf01", "swp9"), string(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := st.WaitRevision(ctx, put.Header.Revision); err != nil {
		t.Fatal(err)
	}
	ports := append(leaf(1, 2).Ports, netmodel.SwitchPort{Name: "swp9", Role: netmodel.PortMachine})
	updated, err := s.UpdateSwitch(ctx, call, inventory.SwitchUpdate{ID: "leaf01", Ports: &ports})
	if err != nil || len(updated.Ports) != 4 {
		t.Fatalf("%+v, %v", updated, err)
	}
	st.Read(func(d *store.Data) {
		if _, ok := d.Intents[store.Port{Switch: "leaf01", Port: "swp3"}]; ok {
			t.Error("the intent of a port that is gone is left")
		}
		if i := d.Intents.Value(store.Port{Switch: "leaf01", Port: "swp9"}); i.Generation != 8 {
			t.Errorf("the new port's intent is %+v, want generation 8", i)
		}
		if c := d.Configs.Value("leaf01"); c.Generation != 2 || len(c.Ports) != 4 {
			t.Errorf("configuration %+v", c)
		}
	})
	text := "in the corner"
	if v, err := s.UpdateSwitch(ctx, call, inventory.SwitchUpdate{ID: "leaf01", Description: &text}); err != nil || v.Description != text {
		t.Errorf("%+v, %v", v, err)
	}
	st.Read(func(d *store.Data) {
		if c := d.Configs.Value("leaf01"); c.Generation != 2 {
			t.Errorf("a description is no agent's business, but the configuration is at generation %d", c.Generation)
		}
	})
	for _, id := range []string{"leaf01", "leaf02", "spine01", "spine02"} {
		if err := s.DeleteSwitch(ctx, call, id); err != nil {
			t.Error(err)
		}
	}
	if left := etcdtest.All(t, st.Client(), keys.Intents); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestALargeSwitch: more ports than a transaction holds operations.
func TestALargeSwitch(t *testing.T) {
	s, st := replica(t, etcdtest.Start(t), false)
	create(t, s, leaf(1, 512))
	etcdtest.Eventually(t, func() error {
		if n := len(etcdtest.All(t, st.Client(), keys.PortIntents("leaf01"))); n != 512 {
			return fmt.Errorf("%d intents", n)
		}
		return nil
	})
	if err := s.DeleteSwitch(t.Context(), call, "leaf01"); err != nil {
		t.Fatal(err)
	}
	etcdtest.Eventually(t, func() error {
		if n := len(etcdtest.All(t, st.Client(), keys.SwitchIntents("leaf01"))); n != 0 {
			return fmt.Errorf("%d keys are left", n)
		}
		return nil
	})
}

// TestSwitchesAtOnce: replicas that register switches at once give each leaf an ASN of its own.
func TestSwitchesAtOnce(t *testing.T) {
	endpoint := etcdtest.Start(t)
	var wg sync.WaitGroup
	for r := range 4 {
		s, _ := replica(t, endpoint, false)
		wg.Go(func() {
			for i := range 5 {
				if _, err := s.CreateSwitch(t.Context(), call, leaf(1+r*5+i, 2)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s, _ := replica(t, endpoint, false)
	asns := map[netmodel.ASN]string{}
	for _, sw := range s.ListSwitches("", "") {
		if other, ok := asns[sw.ASN]; ok {
			t.Errorf("%s and %s share ASN %d", sw.ID, other, sw.ASN)
		}
		asns[sw.ASN] = sw.ID
	}
	if len(asns) != 20 {
		t.Errorf("%d switches", len(asns))
	}
}

// cabled is a rack of two live leaves that hear machines.
func cabled(t *testing.T, s *inventory.Service, c *clientv3.Client) (*simswitch.Switch, *simswitch.Switch) {
	t.Helper()
	var out []*simswitch.Switch
	for n := 1; n <= 2; n++ {
		create(t, s, leaf(n, 4))
		sw, err := simswitch.Start(t.Context(), c, fmt.Sprintf("leaf%02d", n))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := sw.Stop(); err != nil {
				t.Error(err)
			}
		})
		out = append(out, sw)
	}
	return out[0], out[1]
}

func hear(t *testing.T, sw *simswitch.Switch, port, name string, n int, side string) {
	t.Helper()
	if err := sw.Hear(t.Context(), port, simswitch.Machine(name, fmt.Sprintf("02:00:00:00:%02d:00", n), fmt.Sprintf("02:00:00:00:%02d:%s", n, side))); err != nil {
		t.Fatal(err)
	}
}

// TestAutoAdoption: four replicas adopt each discovered machine once; what is cabled wrongly waits.
func TestAutoAdoption(t *testing.T) {
	endpoint := etcdtest.Start(t)
	s, st := replica(t, endpoint, true)
	for range 3 {
		replica(t, endpoint, true)
	}
	leaf1, leaf2 := cabled(t, s, st.Client())
	for n, name := range []string{"machine01", "machine01", "Not A Name"} { // two say the same name
		port := fmt.Sprintf("swp%d", n+1)
		hear(t, leaf1, port, name, n+1, "01")
		hear(t, leaf2, port, name, n+1, "02")
	}
	hear(t, leaf1, "swp4", "half", 4, "01")
	etcdtest.Eventually(t, func() error {
		free := s.ListMachines(netmodel.MachineFree, "rack1")
		if len(free) != 3 {
			return fmt.Errorf("%+v", s.ListMachines("", ""))
		}
		return nil
	})
	machine, err := s.GetMachine("machine01")
	if err != nil || len(machine.Connections) != 2 || len(machine.PortMACs) != 2 {
		t.Errorf("%+v, %v", machine, err)
	}
	discovered := s.ListMachines(netmodel.MachineDiscovered, "")
	if len(discovered) != 1 || discovered[0].SystemName != "half" || len(discovered[0].Faults) == 0 {
		t.Errorf("discovered only: %+v", discovered)
	}
	chassis := map[string]bool{}
	for _, m := range s.ListMachines("", "") {
		if chassis[m.ChassisMAC] {
			t.Errorf("%s is there twice", m.ChassisMAC)
		}
		chassis[m.ChassisMAC] = true
	}
	// The cable comes, and so does the machine.
	hear(t, leaf2, "swp4", "half", 4, "02")
	etcdtest.Eventually(t, func() error { _, err := s.GetMachine("half"); return err })
	if err := s.DeleteMachine(t.Context(), call, "half"); err != nil {
		t.Error(err)
	}
}

func TestAdoption(t *testing.T) {
	s, st := replica(t, etcdtest.Start(t), false)
	ctx := t.Context()
	leaf1, leaf2 := cabled(t, s, st.Client())
	if _, err := s.AdoptMachine(ctx, call, inventory.Adoption{ID: "early", ChassisMAC: "02:00:00:00:02:00"}); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 2; n++ {
		hear(t, leaf1, fmt.Sprintf("swp%d", n), fmt.Sprintf("host%d", n), n, "01")
		hear(t, leaf2, fmt.Sprintf("swp%d", n), fmt.Sprintf("host%d", n), n, "02")
	}
	etcdtest.Eventually(t, func() error {
		if m, err := s.GetMachine("early"); err != nil || m.State != netmodel.MachineFree {
			return fmt.Errorf("%+v (%w)", m, err)
		}
		if len(s.ListMachines(netmodel.MachineDiscovered, "")) != 1 {
			return fmt.Errorf("%+v", s.ListMachines("", ""))
		}
		return nil
	})
	m, err := s.AdoptMachine(ctx, call, inventory.Adoption{PortMACs: []string{"02:00:00:00:01:02"}})
	if err != nil || m.ID != "host1" || m.ChassisMAC != "02:00:00:00:01:00" || len(m.PortMACs) != 2 {
		t.Errorf("adopted %+v, %v", m, err)
	}
	_, err = s.AdoptMachine(ctx, call, inventory.Adoption{ID: "other", ChassisMAC: "02:00:00:00:01:00"})
	refused(t, err, store.Exists, "host1")
	_, err = s.AdoptMachine(ctx, call, inventory.Adoption{ID: "host1", ChassisMAC: "02:00:00:00:09:00"})
	refused(t, err, store.Exists, "choose another id")
	_, err = s.AdoptMachine(ctx, call, inventory.Adoption{ID: "nobody"})
	refused(t, err, store.Invalid, "identity")
	_, err = s.OverrideRelease(ctx, call, "host1")
	refused(t, err, store.Precondition, "no release")
	_, err = s.MachineConfig("host1")
	refused(t, err, store.Precondition, "not allocated")
	refused(t, s.DeleteMachine(ctx, call, "none"), store.NotFound, "none")
}
