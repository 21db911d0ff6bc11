package plan

import (
	"fmt"
	"regexp"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Capabilities are what the switch can do. What goes beyond them is refused here, with the reason, before anything is tried. That no
// two VRFs have one VNI needs no capability: no network OS is ever asked for it.
type Capabilities = netmodel.Capabilities

// LinuxCapabilities are those of a kernel by itself, and of whoever says nothing of his own. The form of a VRF's name is what every
// network OS takes: SONiC wants the prefix, Linux at most 15 characters.
var LinuxCapabilities = Capabilities{
	FirstVLAN: 2, LastVLAN: 4094, VRFName: `^Vrf[a-zA-Z0-9_-]{1,12}$`, MaxDeviceName: 15, NeighbourSuppression: true, PortIsolation: true,
}

// limits are the capabilities, ready to be asked.
type limits struct {
	Capabilities
	vrfName *regexp.Regexp
}

// narrow takes the capabilities of the facts, and narrows the ranges that numbers are chosen from to them.
func (b *build) narrow(c Capabilities) error {
	if c == (Capabilities{}) {
		c = LinuxCapabilities
	}
	form, err := regexp.Compile(c.VRFName)
	if err != nil {
		return fmt.Errorf("form of VRF names: %w", err)
	}
	b.limits = limits{c, form}
	b.ranges.FirstVLAN, b.ranges.LastVLAN = max(b.ranges.FirstVLAN, c.FirstVLAN), min(b.ranges.LastVLAN, c.LastVLAN)
	if b.limits.reserves(b.ranges.FirstVLAN) {
		b.ranges.FirstVLAN = c.LastReservedVLAN + 1
	} else if c.FirstReservedVLAN > b.ranges.FirstVLAN {
		b.ranges.LastVLAN = min(b.ranges.LastVLAN, c.FirstReservedVLAN-1)
	}
	return nil
}

// reserves reports whether the switch keeps a VLAN for itself.
func (l limits) reserves(vlan uint16) bool {
	return l.FirstReservedVLAN > 0 && vlan >= l.FirstReservedVLAN && vlan <= l.LastReservedVLAN
}

// roomFor tells why a tenant's VRF does not fit beside those that are there by now, or nil.
func (b *build) roomFor(vrf string) error {
	if _, there := b.tenants[vrf]; there {
		return nil
	}
	vrfs := len(b.tenants)
	if b.provisioning() {
		vrfs++
	}
	if b.limits.MaxVRFs > 0 && vrfs >= b.limits.MaxVRFs {
		return fmt.Errorf("VRF %q does not fit: the switch has %d already, as many as it takes", vrf, vrfs)
	}
	if tables := int(b.ranges.LastTable - b.ranges.FirstTable); len(b.tenants) >= tables {
		return fmt.Errorf("VRF %q gets no table: all of %d-%d are used", vrf, b.ranges.FirstTable+1, b.ranges.LastTable)
	}
	if vlans := int(b.ranges.LastVLAN) - int(b.ranges.FirstVLAN) + 1; len(b.tenants) >= vlans {
		return fmt.Errorf("VNI of VRF %q gets no VLAN: all of %d-%d are used", vrf, b.ranges.FirstVLAN, b.ranges.LastVLAN)
	}
	return nil
}
