package memory

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

var errNoDevice = errors.New("no such device")

func (s *Switch) do(op plan.Op) error {
	k := &s.state.Kernel
	switch o := op.(type) {
	case plan.SetSysctl:
		k.Sysctls[o.Path] = o.Value
	case plan.AddRule:
		setRule(s.rulesOf(o.Family), o.Rule, true)
	case plan.DeleteRule:
		setRule(s.rulesOf(o.Family), o.Rule, false)
	case plan.AddUnreachable:
		k.Unreachable[o.Route] = true
	case plan.DeleteUnreachable:
		delete(k.Unreachable, o.Route)
	case plan.AddBridge:
		b := o.Bridge
		b.VLANs = nil
		k.Bridge = &b
	case plan.AddVRF:
		return s.addVRF(o.Name, o.Table)
	case plan.DeleteVRF:
		s.deleteVRF(o.Name)
	case plan.AddSVI:
		return s.addSVI(o.VLAN, o.SVI)
	case plan.DeleteSVI:
		delete(k.SVIs, o.VLAN)
		s.forgetSysctls(plan.SVIName(o.VLAN))
	case plan.AddVNI:
		if k.Bridge == nil {
			return fmt.Errorf("bridge: %w", errNoDevice)
		}
		k.VNIs[o.VNI] = o.VXLAN
	case plan.DeleteVNI:
		delete(k.VNIs, o.VNI)
	case plan.SetProtection:
		return s.setProtection(o)
	case plan.DeleteProtection:
		k.Protection = nil
	case plan.SaveFRR:
		s.state.FRRSaved = o.Config
	default:
		return s.change(op)
	}
	return nil
}

// addVRF creates a VRF. With the first one, the kernel adds the l3mdev rules by itself.
func (s *Switch) addVRF(name string, table uint32) error {
	for other, v := range s.state.Kernel.VRFs {
		if v.Table == table && other != name {
			return fmt.Errorf("table %d is that of VRF %q", table, other)
		}
	}
	s.state.Kernel.VRFs[name] = plan.VRF{Table: table, Up: true}
	s.state.Kernel.Rules.IPv4.L3mdev, s.state.Kernel.Rules.IPv6.L3mdev = true, true
	s.inheritSysctls(name)
	return nil
}

// deleteVRF drops the VRF's ports into the default VRF, up as they are: that is what the kernel does. Its routes without a device stay.
func (s *Switch) deleteVRF(name string) {
	delete(s.state.Kernel.VRFs, name)
	for port, p := range s.state.Kernel.Ports {
		if p.Master == name {
			p.Master = ""
			s.state.Kernel.Ports[port] = p
		}
	}
	for vlan, v := range s.state.Kernel.SVIs {
		if v.VRF == name {
			v.VRF = ""
			s.state.Kernel.SVIs[vlan] = v
		}
	}
	s.forgetSysctls(name)
}

func (s *Switch) addSVI(vlan uint16, svi plan.SVI) error {
	if s.state.Kernel.Bridge == nil || !s.exists(svi.VRF) {
		return fmt.Errorf("bridge or VRF %q: %w", svi.VRF, errNoDevice)
	}
	s.state.Kernel.SVIs[vlan] = svi
	s.inheritSysctls(plan.SVIName(vlan))
	return nil
}

// inheritSysctls gives a new device the settings under "default", as far as they are known.
func (s *Switch) inheritSysctls(device string) {
	for path, value := range s.state.Kernel.Sysctls {
		if strings.Contains(path, "/conf/default/") {
			s.state.Kernel.Sysctls[strings.Replace(path, "/default/", "/"+device+"/", 1)] = value
		}
	}
}

func (s *Switch) forgetSysctls(device string) {
	for path := range s.state.Kernel.Sysctls {
		if strings.Contains(path, "/conf/"+device+"/") {
			delete(s.state.Kernel.Sysctls, path)
		}
	}
}

// exists reports whether there is a VRF or bridge of that name.
func (s *Switch) exists(master string) bool {
	_, vrf := s.state.Kernel.VRFs[master]
	return vrf || master == plan.BridgeName && s.state.Kernel.Bridge != nil
}

func (s *Switch) rulesOf(f plan.Family) *plan.FamilyRules {
	if f == plan.IPv6 {
		return &s.state.Kernel.Rules.IPv6
	}
	return &s.state.Kernel.Rules.IPv4
}

func setRule(rules *plan.FamilyRules, rule plan.Rule, present bool) {
	switch rule {
	case plan.L3mdevRule:
		rules.L3mdev = present
	case plan.LocalFirstRule:
		rules.LocalFirst = present
	case plan.LocalLastRule:
		rules.LocalLast = present
	}
}

// insertPrefix keeps addresses sorted and single.
func insertPrefix(list []netip.Prefix, p netip.Prefix) []netip.Prefix {
	list = append(list, p)
	slices.SortFunc(list, netip.Prefix.Compare)
	return slices.Compact(list)
}

// setProtection changes all chains or none. As in the kernel, a chain hangs on a device that is there, and goes with it.
func (s *Switch) setProtection(o plan.SetProtection) error {
	for name, chain := range o.Set {
		if _, ok := s.facts[chain.Device]; !ok && chain.Hook == plan.HookIngress {
			return fmt.Errorf("chain %q on %q: %w", name, chain.Device, errNoDevice)
		}
	}
	k := &s.state.Kernel
	if k.Protection == nil {
		k.Protection = map[string]plan.Chain{}
	}
	for _, name := range o.Delete {
		delete(k.Protection, name)
	}
	maps.Copy(k.Protection, o.Set)
	return nil
}
