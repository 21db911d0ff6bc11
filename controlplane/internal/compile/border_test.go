package compile

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

func TestVRFs(t *testing.T) {
	prefix := netip.MustParsePrefix
	networks := map[string]netmodel.Network{
		"internet": {
			ID: "internet", Project: "ops", Kind: netmodel.NetworkExternal, VNI: 100009, VRF: "Vrf100009",
			Prefixes: []netip.Prefix{prefix("fd09::/64"), prefix("10.9.0.0/24")}, Destinations: []netip.Prefix{prefix("198.18.0.0/15")},
		},
		"private": {ID: "private", Project: "ops", Kind: netmodel.NetworkPrivate, VNI: 100001, VRF: "Vrf100001"},
	}
	find := func(project, id string) (netmodel.Network, bool) {
		n, ok := networks[id]
		return n, ok && n.Project == project
	}
	port := func(name, project, network string, maximum int) netmodel.SwitchPort {
		return netmodel.SwitchPort{Name: name, Role: netmodel.PortExternal, External: netmodel.ExternalPeer{Project: project, Network: network, ASN: 64496, MaximumPrefix: maximum}}
	}
	want := netmodel.VRFIntent{
		Switch: "border01", VRF: "Vrf100009", VNI: 100009, Project: "ops", Network: "internet",
		Peers: []netmodel.VRFPeer{{Port: "swp1", ASN: 64496, MaximumPrefix: netmodel.DefaultMaximumPrefix}, {Port: "swp2", ASN: 64496, MaximumPrefix: 20}},
		Imports: []netmodel.Grant{
			{Prefix: prefix("0.0.0.0/0")}, {Prefix: prefix("198.18.0.0/15"), MaxLength: 32}, {Prefix: prefix("::/0")},
		},
		Exports: []netip.Prefix{prefix("10.9.0.0/24"), prefix("fd09::/64")},
	}
	for name, test := range map[string]struct {
		ports []netmodel.SwitchPort
		want  map[string]netmodel.VRFIntent
	}{
		"no external port":              {[]netmodel.SwitchPort{{Name: "swp49", Role: netmodel.PortUplink}}, map[string]netmodel.VRFIntent{}},
		"two ports of one network":      {[]netmodel.SwitchPort{port("swp2", "ops", "internet", 20), port("swp1", "ops", "internet", 0)}, map[string]netmodel.VRFIntent{"Vrf100009": want}},
		"no such network":               {[]netmodel.SwitchPort{port("swp1", "ops", "later", 0)}, map[string]netmodel.VRFIntent{}},
		"a private network":             {[]netmodel.SwitchPort{port("swp1", "ops", "private", 0)}, map[string]netmodel.VRFIntent{}},
		"another project's of the name": {[]netmodel.SwitchPort{port("swp1", "default", "internet", 0)}, map[string]netmodel.VRFIntent{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, VRFs(netmodel.Switch{ID: "border01", Ports: test.ports}, find), compareAddresses); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestConfigHoldsNoPeers: who is at an external port is the VRF's business, so that its change rewrites one key.
func TestConfigHoldsNoPeers(t *testing.T) {
	sw := netmodel.Switch{ID: "border01", Ports: []netmodel.SwitchPort{{Name: "swp1", Role: netmodel.PortExternal, External: netmodel.ExternalPeer{Network: "internet", ASN: 64496}}}}
	other := sw
	other.Ports = []netmodel.SwitchPort{{Name: "swp1", Role: netmodel.PortExternal, External: netmodel.ExternalPeer{Network: "internet", ASN: 64497}}}
	if !SameConfig(Config(sw, "store"), Config(other, "store")) {
		t.Error("another peer makes another configuration")
	}
	if sw.Ports[0].External.ASN != 64496 {
		t.Error("the switch was changed")
	}
}

func TestSameVRFIgnoresGenerationOnly(t *testing.T) {
	a := netmodel.VRFIntent{Switch: "border01", VRF: "Vrf1", Generation: 1, Peers: []netmodel.VRFPeer{{Port: "swp1", ASN: 64496, MaximumPrefix: 1}}}
	b := a
	b.Generation = 2
	if !SameVRF(a, b) {
		t.Error("a generation makes a difference")
	}
	b.Peers = []netmodel.VRFPeer{{Port: "swp1", ASN: 64497, MaximumPrefix: 1}}
	if SameVRF(a, b) {
		t.Error("a peer's ASN makes no difference")
	}
}
