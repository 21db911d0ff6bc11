package frrtemplates

import (
	"net/netip"
	"slices"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Examples are switches of every role, with all that a template may have to render: templates that are to replace others are tried on
// them, as a switch may have no tenant today and one tomorrow.
func Examples() []Input {
	exact := func(s string) netmodel.Grant { return netmodel.Grant{Prefix: netip.MustParsePrefix(s)} }
	leaf := Input{
		Hostname: "leaf", Role: netmodel.RoleLeaf, ASN: uint32(netmodel.FirstSwitchASN), RouterID: netip.MustParseAddr("192.0.2.1"),
		Uplinks: []string{"swp31", "swp32"}, MachinePorts: []string{"swp1", "swp2", "swp3"},
	}
	tenants := leaf
	tenants.VRFs = []VRF{
		{Name: "Vrf100000", VNI: netmodel.FirstVNI, Neighbours: []Neighbour{
			{Port: "swp1", ASN: netmodel.FirstMachineASN, MaximumPrefix: 1000, Grants: []netmodel.Grant{
				exact("198.51.100.1/32"), exact("2001:db8::1/128"), {Prefix: netip.MustParsePrefix("203.0.113.0/24"), MaxLength: 28},
			}},
			{Port: "swp2", ASN: netmodel.FirstMachineASN + 1, MaximumPrefix: 1},
		}},
		{Name: "Vrf100001", VNI: netmodel.FirstVNI + 1},
	}
	border := tenants
	border.Role, border.ExternalPorts = netmodel.RoleBorder, []string{"swp4", "swp5"}
	border.VRFs = append(slices.Clone(tenants.VRFs), VRF{Name: "Vrf100002", VNI: netmodel.FirstVNI + 2, Outside: []Outside{{
		Port: "swp4", ASN: 64496, MaximumPrefix: netmodel.DefaultMaximumPrefix,
		Imports: []netmodel.Grant{exact("0.0.0.0/0"), exact("::/0"), {Prefix: netip.MustParsePrefix("192.0.2.0/24"), MaxLength: 32}},
		Exports: []netip.Prefix{netip.MustParsePrefix("198.51.100.128/25"), netip.MustParsePrefix("2001:db8:1::/64")},
	}}})
	spine := Input{
		Hostname: "spine", Role: netmodel.RoleSpine, ASN: uint32(netmodel.LastSwitchASN), RouterID: netip.MustParseAddr("192.0.2.2"),
		Uplinks: []string{"swp1", "swp2"},
	}
	return []Input{leaf, tenants, border, spine}
}
