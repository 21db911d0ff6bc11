package memory

import (
	"fmt"
	"strings"

	"github.com/pointsman/pointsman/pkg/frr"
)

// removesInstance reports whether a change deletes a VRF or a BGP instance.
func removesInstance(c frr.Change) bool {
	return len(c.Context) == 0 && (strings.HasPrefix(c.Line, "no vrf ") || strings.HasPrefix(c.Line, "no router bgp "))
}

// refuses tells why FRR does not accept a change.
func (s *Switch) refuses(c frr.Change) error {
	if vrf, ok := strings.CutPrefix(c.Line, "no vrf "); ok && len(c.Context) == 0 {
		if _, exists := s.state.Kernel.VRFs[vrf]; exists {
			return fmt.Errorf("%q: %% Only inactive VRFs can be deleted", c.Line)
		}
	}
	if _, vrf, ok := strings.Cut(c.Line, " vrf "); ok && strings.HasPrefix(c.Line, "no router bgp ") && s.hasVNI(vrf) {
		return fmt.Errorf("%q: %% Please unconfigure l3vni", c.Line)
	}
	return nil
}

func (s *Switch) hasVNI(vrf string) bool {
	for _, l := range s.state.FRR.Lines {
		if l.Text != "vrf "+vrf {
			continue
		}
		for _, inner := range l.Lines {
			if strings.HasPrefix(inner.Text, "vni ") {
				return true
			}
		}
	}
	return false
}
