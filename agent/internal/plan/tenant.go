package plan

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// tenant is a VRF that at least one port asks for, of a machine or to the outside.
type tenant struct {
	vni   netmodel.VNI
	ports []string // sorted
}

// portName keeps a name from ending a line of FRR's configuration, or a path below /proc/sys, and beginning another.
var portName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._:-]{0,14}$`)

// place decides which intents can be met, and which VRFs that takes. Ports whose VRF already has its VNI here come first, so that a
// wrong newcomer disturbs nobody.
func (b *build) place() {
	roles := map[string]netmodel.PortRole{}
	for _, p := range b.config.Ports {
		roles[p.Name] = p.Role
		if err := b.checkPort(p); err != nil {
			b.problem(p.Name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.intent.Ports)) {
		if !placed(roles[name]) {
			b.problem(name, errors.New("has an intent, but is not one of this switch's machine or external ports"))
		}
	}
	var ports []string
	for name, role := range roles {
		if placed(role) && b.exists(name) {
			ports = append(ports, name)
		}
	}
	slices.SortFunc(ports, b.byClaim)
	for _, name := range ports {
		b.placePort(name, roles[name])
	}
}

// placed says whether ports of a role are where an intent puts them.
func placed(role netmodel.PortRole) bool {
	return role == netmodel.PortMachine || role == netmodel.PortExternal
}

func (b *build) placePort(name string, role netmodel.PortRole) {
	intent, ok := b.intent.Ports[name]
	if !ok {
		b.problem(name, errors.New("has no intent, so it stays down"))
		return
	}
	if err := b.checkIntent(intent, role); err != nil {
		b.problem(name, err)
		return
	}
	b.placements[name] = intent
	if intent.Mode == netmodel.ModeVRF {
		t := b.tenants[intent.VRF]
		t.vni = intent.VNI
		t.ports = append(t.ports, name)
		slices.Sort(t.ports)
		b.tenants[intent.VRF] = t
		b.vniOwner[intent.VNI] = intent.VRF
		b.assigned.VNIs[intent.VRF] = intent.VNI
	}
}

// byClaim orders ports whose VRF has its VNI here before the others.
func (b *build) byClaim(x, y string) int {
	holds := func(port string) int {
		intent := b.intent.Ports[port]
		if vni, ok := b.facts.Assigned.VNIs[intent.VRF]; ok && vni == intent.VNI {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(holds(x), holds(y)), cmp.Compare(x, y))
}

func (b *build) checkPort(p netmodel.SwitchPort) error {
	switch {
	case !portName.MatchString(p.Name):
		return fmt.Errorf("name %q is no port's", p.Name)
	case len(p.Name) > b.limits.MaxDeviceName:
		return fmt.Errorf("name %q is longer than the %d characters that the switch takes", p.Name, b.limits.MaxDeviceName)
	case !b.exists(p.Name):
		return errors.New("does not exist")
	}
	return nil
}

func (b *build) checkIntent(i netmodel.PortIntent, role netmodel.PortRole) error {
	if external := role == netmodel.PortExternal; i.Mode != netmodel.ModeDisabled && external != (i.External != nil) {
		return errors.New("is an external port, or has the intent of one, but not both")
	}
	switch i.Mode {
	case netmodel.ModeDisabled:
		return nil
	case netmodel.ModeProvisioning:
		if !b.provisioning() {
			return errors.New("wants provisioning, but the switch has no provisioning VLAN")
		}
		return nil
	case netmodel.ModeVRF:
		return b.checkTenant(i)
	}
	return fmt.Errorf("has unknown mode %q", i.Mode)
}

func (b *build) checkTenant(i netmodel.PortIntent) error {
	switch {
	case !b.limits.vrfName.MatchString(i.VRF) || len(i.VRF) > b.limits.MaxDeviceName:
		return fmt.Errorf("VRF name %q is not of the form %s, or longer than %d characters", i.VRF, b.limits.VRFName, b.limits.MaxDeviceName)
	case i.VNI == 0 || i.VNI > netmodel.LastVNI:
		return fmt.Errorf("VNI %d of VRF %q is not in 1-%d", i.VNI, i.VRF, netmodel.LastVNI)
	case i.PeerASN == 0:
		return errors.New("the neighbour's ASN is 0")
	}
	if owner, ok := b.vniOwner[i.VNI]; ok && owner != i.VRF {
		return fmt.Errorf("VNI %d of VRF %q is that of VRF %q", i.VNI, i.VRF, owner)
	}
	if t, ok := b.tenants[i.VRF]; ok && t.vni != i.VNI {
		return fmt.Errorf("VRF %q has VNI %d, not %d", i.VRF, t.vni, i.VNI)
	}
	for _, g := range i.Grants {
		if !g.Prefix.IsValid() || g.Prefix.Addr().Is4In6() || g.MaxLength < 0 || g.MaxLength > g.Prefix.Addr().BitLen() {
			return fmt.Errorf("grant %v up to length %d is no prefix", g.Prefix, g.MaxLength)
		}
	}
	if i.External != nil {
		if err := checkExternal(*i.External); err != nil {
			return err
		}
	}
	return b.roomFor(i.VRF)
}

func checkExternal(s netmodel.ExternalSession) error {
	if s.MaximumPrefix < 1 {
		return fmt.Errorf("maximum-prefix %d of the outside is no number of routes", s.MaximumPrefix)
	}
	for _, p := range s.Exports {
		if !p.IsValid() || p.Addr().Is4In6() {
			return fmt.Errorf("exported prefix %v is none", p)
		}
	}
	return nil
}
