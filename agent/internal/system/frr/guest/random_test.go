package guest

import (
	"fmt"
	"net/netip"

	"pgregory.net/rapid"

	frrtemplates "github.com/pointsman/pointsman/frr-templates"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// leaves draws leaves and borders: what the templates may be asked for: few enough ports, VRFs and addresses that two draws have much in common.
func leaves() *rapid.Generator[frrtemplates.Input] {
	return rapid.Custom(func(t *rapid.T) frrtemplates.Input {
		in := frrtemplates.Input{
			Hostname: "leaf1", Role: netmodel.RoleLeaf, RouterID: netip.MustParseAddr("10.0.0.1"),
			ASN:     rapid.SampledFrom([]uint32{4200000001, 4200000001, 4200000001, 4200000002}).Draw(t, "asn"),
			Uplinks: rapid.SampledFrom([][]string{{"swp9", "swp10"}, {"swp9"}}).Draw(t, "uplinks"),
		}
		for i := range 6 {
			in.MachinePorts = append(in.MachinePorts, fmt.Sprintf("swp%d", i+1))
		}
		for i := range 3 {
			if rapid.Bool().Draw(t, "vrf") {
				vni := netmodel.FirstVNI + netmodel.VNI(i)
				in.VRFs = append(in.VRFs, frrtemplates.VRF{Name: netmodel.VRFName(vni), VNI: vni})
			}
		}
		for _, port := range in.MachinePorts {
			if len(in.VRFs) == 0 || !rapid.Bool().Draw(t, "allocated") {
				continue
			}
			vrf := rapid.IntRange(0, len(in.VRFs)-1).Draw(t, "which")
			in.VRFs[vrf].Neighbours = append(in.VRFs[vrf].Neighbours, machine(t, port))
		}
		if rapid.Bool().Draw(t, "border") {
			addOutside(t, &in)
		}
		return in
	})
}

// addOutside makes a border of a leaf.
func addOutside(t *rapid.T, in *frrtemplates.Input) {
	in.Role, in.ExternalPorts = netmodel.RoleBorder, []string{"swp7", "swp8"}
	for _, port := range in.ExternalPorts {
		if len(in.VRFs) == 0 || !rapid.Bool().Draw(t, "external") {
			continue
		}
		vrf := rapid.IntRange(0, len(in.VRFs)-1).Draw(t, "which")
		o := frrtemplates.Outside{
			Port: port, ASN: netmodel.ASN(rapid.IntRange(64496, 64497).Draw(t, "asn")), MaximumPrefix: rapid.IntRange(1, 3).Draw(t, "maximum"),
			Exports: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/16", vrf+1))},
		}
		for _, g := range []netmodel.Grant{
			{Prefix: netip.MustParsePrefix("0.0.0.0/0")}, {Prefix: netip.MustParsePrefix("::/0")}, {Prefix: netip.MustParsePrefix("198.18.0.0/15"), MaxLength: 32},
		} {
			if rapid.Bool().Draw(t, "imported") {
				o.Imports = append(o.Imports, g)
			}
		}
		if rapid.Bool().Draw(t, "two families") {
			o.Exports = append(o.Exports, netip.MustParsePrefix(fmt.Sprintf("fd00:%d::/64", vrf+1)))
		}
		in.VRFs[vrf].Outside = append(in.VRFs[vrf].Outside, o)
	}
}

func machine(t *rapid.T, port string) frrtemplates.Neighbour {
	n := frrtemplates.Neighbour{
		Port: port, ASN: netmodel.FirstMachineASN + netmodel.ASN(rapid.IntRange(0, 1).Draw(t, "asn")),
		MaximumPrefix: rapid.IntRange(1, 3).Draw(t, "maximum"),
	}
	for _, g := range []netmodel.Grant{
		{Prefix: netip.MustParsePrefix("10.1.0.1/32")}, {Prefix: netip.MustParsePrefix("10.1.0.2/32")},
		{Prefix: netip.MustParsePrefix("10.1.128.0/18"), MaxLength: 24}, {Prefix: netip.MustParsePrefix("10.1.128.0/18"), MaxLength: 26},
		{Prefix: netip.MustParsePrefix("fd00:1::1/128")}, {Prefix: netip.MustParsePrefix("fd00:1:8000::/48"), MaxLength: 64},
	} {
		if rapid.Bool().Draw(t, "granted") {
			n.Grants = append(n.Grants, g)
		}
	}
	return n
}
