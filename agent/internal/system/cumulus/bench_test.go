package cumulus

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/cumulus/interfaces"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// BenchmarkPass is what a pass adds for the file: that of a switch as full as it gets is compared, and once written anew.
func BenchmarkPass(b *testing.B) {
	k := plan.Kernel{
		Loopback: map[netip.Prefix]plan.Ownership{netip.MustParsePrefix("10.255.0.11/32"): plan.Ours}, Bridge: &plan.Bridge{MTU: 9166},
		Ports: map[string]plan.Port{}, VRFs: map[string]plan.VRF{}, SVIs: map[uint16]plan.SVI{}, VNIs: map[netmodel.VNI]plan.VXLAN{},
	}
	for i := range 64 {
		k.Ports[fmt.Sprintf("swp%d", i+1)] = plan.Port{Up: true, MTU: 9216, Master: plan.BridgeName, Isolated: true, VLANs: []plan.Member{{VLAN: 4000, PVID: true}}}
	}
	for i := range 254 {
		vni := netmodel.VNI(104000 + i)
		k.VRFs[netmodel.VRFName(vni)] = plan.VRF{Table: uint32(1002 + i)}
		k.SVIs[uint16(1000+i)] = plan.SVI{VRF: netmodel.VRFName(vni), MTU: 9166}
		k.VNIs[vni] = plan.VXLAN{Local: netip.MustParseAddr("10.255.0.11"), MTU: 9166, VLANs: []plan.Member{{VLAN: uint16(1000 + i), PVID: true}}}
	}
	empty, err := interfaces.Parse(installed)
	if err != nil {
		b.Fatal(err)
	}
	text := empty.With(stanzas(k))
	file, err := interfaces.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("compare", func(b *testing.B) {
		for b.Loop() {
			if d := file.Differs(stanzas(k)); len(d) > 0 {
				b.Fatal(d)
			}
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if _, err := interfaces.Parse(text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
