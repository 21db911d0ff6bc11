package inventory_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/pointsman/pointsman/controlplane/internal/etcdtest"
	"github.com/pointsman/pointsman/controlplane/internal/inventory"
	"github.com/pointsman/pointsman/controlplane/internal/network"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

func borderSwitch() netmodel.Switch {
	return netmodel.Switch{
		ID: "border01", Role: netmodel.RoleBorder, Loopback: netip.MustParseAddr("10.255.2.1"),
		Ports: []netmodel.SwitchPort{
			{Name: "swp49", Role: netmodel.PortUplink},
			{Name: "swp1", Role: netmodel.PortExternal, External: netmodel.ExternalPeer{Project: "default", Network: "internet", ASN: 64496}},
		},
	}
}

func TestBorderIsRefused(t *testing.T) {
	s, _ := replica(t, etcdtest.Start(t), false)
	for _, test := range []struct {
		name   string
		change func(*netmodel.Switch)
		says   string
	}{
		{"no network", func(sw *netmodel.Switch) { sw.Ports[1].External.Network = "" }, "port swp1: external.network"},
		{"no ASN", func(sw *netmodel.Switch) { sw.Ports[1].External.ASN = 0 }, "port swp1: external.asn"},
		{"an ASN of the fabric", func(sw *netmodel.Switch) { sw.Ports[1].External.ASN = netmodel.FirstMachineASN }, "port swp1: external.asn"},
		{"a peer on an uplink", func(sw *netmodel.Switch) { sw.Ports[0].External.ASN = 64496 }, "port swp49: external is given, but its role is uplink"},
		{"the outside at a leaf", func(sw *netmodel.Switch) { sw.Role, sw.Rack, sw.Provisioning.VLAN = netmodel.RoleLeaf, "rack1", 4000 }, "only a border"},
		{"machines without provisioning", func(sw *netmodel.Switch) {
			sw.Ports = append(sw.Ports, netmodel.SwitchPort{Name: "swp2", Role: netmodel.PortMachine})
		}, "port swp2: a border with machine ports needs a provisioning VLAN"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sw := borderSwitch()
			test.change(&sw)
			_, err := s.CreateSwitch(t.Context(), call, sw)
			refused(t, err, store.Invalid, test.says)
		})
	}
}

// TestBorderFollowsItsNetwork: a border has a VRF as long as there is the network that its port is for, and its generation rises with
// each change, and beyond what the agent once reported of the port.
func TestBorderFollowsItsNetwork(t *testing.T) {
	endpoint := etcdtest.Start(t)
	s, st := replica(t, endpoint, false)
	replica(t, endpoint, false)
	networks := network.New(st, 0)
	create(t, s, borderSwitch())
	at := store.SwitchVRF{Switch: "border01"}
	internet := func() netmodel.Network {
		n, err := networks.Create(t.Context(), call, network.CreateRequest{
			Project: "default", ID: "internet", Kind: netmodel.NetworkExternal, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/24")},
		})
		if err != nil {
			t.Fatal(err)
		}
		at.VRF = n.VRF
		return n
	}
	generation := func(want uint64) netmodel.VRFIntent {
		t.Helper()
		var got netmodel.VRFIntent
		etcdtest.Eventually(t, func() error {
			st.Read(func(d *store.Data) { got = d.VRFs.Value(at) })
			if got.Generation != want {
				return fmt.Errorf("the VRF's intent is %+v, want generation %d", got, want)
			}
			return nil
		})
		return got
	}
	internet()
	if got := generation(1); len(got.Peers) != 1 || got.Peers[0] != (netmodel.VRFPeer{Port: "swp1", ASN: 64496, MaximumPrefix: netmodel.DefaultMaximumPrefix}) {
		t.Errorf("peers %+v", got.Peers)
	}
	destinations := []netip.Prefix{netip.MustParsePrefix("198.18.0.0/15")}
	if _, err := networks.Update(t.Context(), call, network.Update{Project: "default", ID: "internet", Destinations: &destinations}); err != nil {
		t.Fatal(err)
	}
	if got := generation(2); len(got.Imports) != 3 {
		t.Errorf("imports %+v", got.Imports)
	}
	ports := borderSwitch().Ports
	ports[1].External.MaximumPrefix = 7
	if _, err := s.UpdateSwitch(t.Context(), call, inventory.SwitchUpdate{ID: "border01", Ports: &ports}); err != nil {
		t.Fatal(err)
	}
	generation(3)
	view, err := s.GetSwitch("border01")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range view.Views {
		if p.Role == netmodel.PortExternal && (p.Intent == nil || p.Intent.VRF != at.VRF || p.Intent.External.MaximumPrefix != 7) {
			t.Errorf("the port's view has the intent %+v", p.Intent)
		}
	}
	st.Read(func(d *store.Data) {
		if c := d.Configs.Value("border01"); c.Generation != 1 {
			t.Errorf("a peer's change rewrote the switch's configuration: generation %d", c.Generation)
		}
	})

	raw, err := wire.PortStatusCodec.Encode(netmodel.PortStatus{Port: "swp1", AppliedGeneration: 3, Mode: netmodel.ModeVRF, VRF: at.VRF})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Client().Put(t.Context(), keys.PortStatus("border01", "swp1"), string(raw)); err != nil {
		t.Fatal(err)
	}
	if err := networks.Delete(t.Context(), call, "default", "internet"); err != nil {
		t.Fatal(err)
	}
	etcdtest.Eventually(t, func() error {
		if left := etcdtest.All(t, st.Client(), keys.VRFIntents("border01")); len(left) > 0 {
			return fmt.Errorf("left: %v", left)
		}
		return nil
	})
	internet()
	generation(4)
	if err := s.DeleteSwitch(t.Context(), call, "border01"); err != nil {
		t.Fatal(err)
	}
	etcdtest.Eventually(t, func() error {
		if left := etcdtest.All(t, st.Client(), keys.Intents); len(left) > 0 {
			return fmt.Errorf("left: %v", left)
		}
		return nil
	})
}
