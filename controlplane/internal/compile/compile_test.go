package compile

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

var compareAddresses = cmp.Options{
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

func blue() (netmodel.Allocation, netmodel.Network) {
	return netmodel.Allocation{
			ID: "a1", Project: "default", ASN: 4201000001, Generation: 3,
			Attachments: []netmodel.Attachment{{
				Network: "blue", Addresses: []netip.Addr{netip.MustParseAddr("fd00::5"), netip.MustParseAddr("10.1.0.5")},
				ServiceAddresses: []netip.Addr{netip.MustParseAddr("10.1.0.200")},
			}},
			Ports: []netmodel.AllocationPort{{Switch: "leaf01", Port: "swp1"}, {Switch: "leaf02", Port: "swp1"}},
		}, netmodel.Network{
			ID: "blue", Project: "default", VNI: 104001, VRF: "Vrf104001",
			Announceable: []netmodel.Grant{{Prefix: netip.MustParsePrefix("10.244.0.0/16")}, {Prefix: netip.MustParsePrefix("10.96.0.0/12"), MaxLength: 24}},
		}
}

func TestPort(t *testing.T) {
	a, n := blue()
	tests := []struct {
		name       string
		allocation *netmodel.Allocation
		network    *netmodel.Network
		want       netmodel.PortIntent
	}{
		{"unallocated", nil, nil, netmodel.PortIntent{Switch: "leaf01", Port: "swp1", Mode: netmodel.ModeProvisioning}},
		{"allocated", &a, &n, netmodel.PortIntent{
			Switch: "leaf01", Port: "swp1", Mode: netmodel.ModeVRF, VRF: "Vrf104001", VNI: 104001, Project: "default", Network: "blue", Allocation: "a1",
			PeerASN: 4201000001, Grants: []netmodel.Grant{
				{Prefix: netip.MustParsePrefix("10.1.0.5/32")}, {Prefix: netip.MustParsePrefix("10.1.0.200/32")},
				{Prefix: netip.MustParsePrefix("10.96.0.0/12"), MaxLength: 24}, {Prefix: netip.MustParsePrefix("10.244.0.0/16"), MaxLength: 32},
				{Prefix: netip.MustParsePrefix("fd00::5/128")},
			},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Port("leaf01", "swp1", test.allocation, test.network), compareAddresses); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProbes(t *testing.T) {
	a, n := blue()
	sw := func(id string, role netmodel.SwitchRole, loopback string) netmodel.Switch {
		return netmodel.Switch{ID: id, Role: role, Loopback: netip.MustParseAddr(loopback)}
	}
	switches := []netmodel.Switch{
		sw("spine01", netmodel.RoleSpine, "10.0.0.1"), sw("leaf01", netmodel.RoleLeaf, "10.0.1.1"), sw("leaf02", netmodel.RoleLeaf, "10.0.1.2"),
		sw("leaf03", netmodel.RoleLeaf, "10.0.1.3"), sw("leaf04", netmodel.RoleLeaf, "10.0.1.4"),
	}
	vrfs := map[string]map[string]bool{"leaf01": {"Vrf104001": true}, "leaf03": {"Vrf104001": true}, "leaf04": {"Vrf1": true}}
	got := Probes(a, n, switches, vrfs)
	want := netmodel.Probe{
		Allocation: "a1", Project: "default", Generation: 3, VRF: "Vrf104001", VNI: 104001,
		Prefixes: []netip.Prefix{netip.MustParsePrefix("10.1.0.5/32"), netip.MustParsePrefix("fd00::5/128")},
		Origins:  []netmodel.ProbeOrigin{{Switch: "leaf01", Loopback: netip.MustParseAddr("10.0.1.1")}, {Switch: "leaf02", Loopback: netip.MustParseAddr("10.0.1.2")}},
	}
	if diff := cmp.Diff(map[string]netmodel.Probe{"spine01": want, "leaf03": want}, got, compareAddresses); diff != "" {
		t.Error(diff)
	}
	if len(a.Attachments[0].ServiceAddresses) != 1 {
		t.Error("the allocation was changed")
	}
}

func TestSameIgnoresGenerationOnly(t *testing.T) {
	a, n := blue()
	p, q := Port("leaf01", "swp1", &a, &n), Port("leaf01", "swp1", &a, &n)
	q.Generation = 7
	if !SamePort(p, q) {
		t.Error("a generation makes a difference")
	}
	q.Grants = q.Grants[1:]
	if SamePort(p, q) {
		t.Error("grants make no difference")
	}
}
