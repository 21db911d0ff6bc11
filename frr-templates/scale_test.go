package frrtemplates

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// large is a leaf of 48 ports with n VRFs.
func large(n int) Input {
	in := inputs()["leaf"]
	in.Uplinks, in.MachinePorts = []string{"swp49", "swp50"}, nil
	for i := range n {
		vni := netmodel.FirstVNI + netmodel.VNI(i)
		vrf := VRF{Name: netmodel.VRFName(vni), VNI: vni}
		if i < 48 {
			port := fmt.Sprintf("swp%d", i+1)
			in.MachinePorts = append(in.MachinePorts, port)
			vrf.Neighbours = []Neighbour{{Port: port, ASN: netmodel.FirstMachineASN + netmodel.ASN(i), MaximumPrefix: 2, Grants: []netmodel.Grant{
				{Prefix: netip.MustParsePrefix("10.1.0.1/32")}, {Prefix: netip.MustParsePrefix("fd00:1::1/128")},
			}}}
		}
		in.VRFs = append(in.VRFs, vrf)
	}
	return in
}

// BenchmarkPass is what a pass costs without FRR: the configuration rendered, both texts parsed, and compared.
func BenchmarkPass(b *testing.B) {
	for _, n := range []int{10, 100, 500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := large(n)
			running, err := Render(in)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				text, err := Render(in)
				if err != nil {
					b.Fatal(err)
				}
				have, _ := frr.Parse(running)
				want, _ := frr.Parse(text)
				if changes := frr.Diff(have, want); len(changes) > 0 {
					b.Fatal(changes)
				}
			}
		})
	}
}
