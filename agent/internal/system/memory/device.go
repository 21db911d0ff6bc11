package memory

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// device is what all kinds of devices have in common, as pointers into a copy that store writes back.
type device struct {
	up        *bool
	mtu       *int
	mac       *plan.MAC
	master    *string
	linkLocal *bool
	members   *[]plan.Member
	flags     map[plan.BridgePortFlag]*bool
	addresses *[]netip.Prefix
	store     func()
}

// device finds a device of any kind by its name.
func (s *Switch) device(name string) (device, error) {
	k := &s.state.Kernel
	if p, ok := k.Ports[name]; ok {
		return device{up: &p.Up, mtu: &p.MTU, master: &p.Master, members: &p.VLANs,
			flags: map[plan.BridgePortFlag]*bool{plan.Isolated: &p.Isolated},
			store: func() { p.OperUp = p.Up; k.Ports[name] = p }}, nil
	}
	if v, ok := k.VRFs[name]; ok {
		return device{up: &v.Up, store: func() { k.VRFs[name] = v }}, nil
	}
	if name == plan.BridgeName && k.Bridge != nil {
		return device{up: &k.Bridge.Up, mtu: &k.Bridge.MTU, mac: &k.Bridge.MAC, store: func() {}}, nil
	}
	if name == plan.LoopbackName {
		return device{up: &k.LoopbackUp, store: func() {}}, nil
	}
	for vlan, v := range k.SVIs {
		if plan.SVIName(vlan) == name {
			return device{up: &v.Up, mtu: &v.MTU, mac: &v.MAC, master: &v.VRF, linkLocal: &v.LinkLocal, addresses: &v.Addresses,
				store: func() { k.SVIs[vlan] = v }}, nil
		}
	}
	for vni, v := range k.VNIs {
		if plan.VNIName(vni) == name {
			return s.tunnel(vni, v), nil
		}
	}
	return device{}, fmt.Errorf("%q: %w", name, errNoDevice)
}

func (s *Switch) tunnel(vni netmodel.VNI, v plan.VXLAN) device {
	return device{up: &v.Up, mtu: &v.MTU, master: &v.Master, linkLocal: &v.LinkLocal, members: &v.VLANs,
		flags: map[plan.BridgePortFlag]*bool{plan.PortLearning: &v.PortLearning, plan.NeighSuppress: &v.NeighSuppress},
		store: func() { s.state.Kernel.VNIs[vni] = v }}
}

// change carries out steps that change a device.
func (s *Switch) change(op plan.Op) error {
	switch o := op.(type) {
	case plan.SetMTU:
		return s.with(o.Device, func(d device) { *d.mtu = o.MTU })
	case plan.SetMAC:
		return s.with(o.Device, func(d device) { *d.mac = o.MAC })
	case plan.SetUp:
		return s.with(o.Device, func(d device) { *d.up = o.Up })
	case plan.SetLinkLocal:
		return s.with(o.Device, func(d device) { *d.linkLocal = o.On })
	case plan.SetMaster:
		return s.setMaster(o.Device, o.To)
	case plan.SetBridgePort:
		return s.withBridgePort(o.Device, func(d device) { *d.flags[o.Flag] = o.On })
	case plan.SetVLANFiltering:
		s.state.Kernel.Bridge.VLANFiltering, s.state.Kernel.Bridge.DefaultPVID = true, 0
		return nil
	case plan.AddMember, plan.DeleteMember:
		return s.changeMember(op)
	case plan.AddAddress, plan.DeleteAddress:
		return s.changeAddress(op)
	}
	return fmt.Errorf("no step of type %T is known", op)
}

func (s *Switch) with(name string, do func(device)) error {
	d, err := s.device(name)
	if err != nil {
		return err
	}
	do(d)
	d.store()
	return nil
}

// withBridgePort refuses what only a bridge port has.
func (s *Switch) withBridgePort(name string, do func(device)) error {
	d, err := s.device(name)
	if err != nil {
		return err
	}
	if d.master == nil || *d.master != plan.BridgeName {
		return fmt.Errorf("%q is no bridge port", name)
	}
	do(d)
	d.store()
	return nil
}

// setMaster forgets what a device was as a bridge port, and gives a new bridge port the kernel's defaults.
func (s *Switch) setMaster(name, to string) error {
	if to != "" && !s.exists(to) {
		return fmt.Errorf("%q: %w", to, errNoDevice)
	}
	return s.with(name, func(d device) {
		*d.master = to
		if d.members == nil {
			return
		}
		*d.members = nil
		for flag, value := range d.flags {
			*value = flag == plan.PortLearning && to == plan.BridgeName
		}
	})
}

func (s *Switch) changeMember(op plan.Op) error {
	bridge := s.state.Kernel.Bridge
	switch o := op.(type) {
	case plan.AddMember:
		if o.Device != plan.BridgeName {
			return s.withBridgePort(o.Device, func(d device) { *d.members = join(*d.members, o.Member) })
		}
		bridge.VLANs = append(bridge.VLANs, o.Member.VLAN)
	case plan.DeleteMember:
		if o.Device != plan.BridgeName {
			return s.withBridgePort(o.Device, func(d device) { *d.members = leave(*d.members, o.VLAN) })
		}
		bridge.VLANs = slices.DeleteFunc(bridge.VLANs, func(v uint16) bool { return v == o.VLAN })
	}
	slices.Sort(bridge.VLANs)
	bridge.VLANs = slices.Compact(bridge.VLANs)
	return nil
}

// join adds a membership. A port has one PVID: a new one takes it from the old.
func join(list []plan.Member, m plan.Member) []plan.Member {
	list = leave(list, m.VLAN)
	if m.PVID {
		for i := range list {
			list[i].PVID = false
		}
	}
	list = append(list, m)
	slices.SortFunc(list, func(a, b plan.Member) int { return cmp.Compare(a.VLAN, b.VLAN) })
	return list
}

func leave(list []plan.Member, vlan uint16) []plan.Member {
	list = slices.DeleteFunc(slices.Clone(list), func(m plan.Member) bool { return m.VLAN == vlan })
	if len(list) == 0 {
		return nil
	}
	return list
}

func (s *Switch) changeAddress(op plan.Op) error {
	switch o := op.(type) {
	case plan.AddAddress:
		if o.Device == plan.LoopbackName {
			s.state.Kernel.Loopback[o.Prefix] = plan.Ours
			return nil
		}
		return s.with(o.Device, func(d device) { *d.addresses = insertPrefix(*d.addresses, o.Prefix) })
	case plan.DeleteAddress:
		if o.Device == plan.LoopbackName {
			delete(s.state.Kernel.Loopback, o.Prefix)
			return nil
		}
		return s.with(o.Device, func(d device) {
			*d.addresses = slices.DeleteFunc(*d.addresses, func(p netip.Prefix) bool { return p == o.Prefix })
		})
	}
	return nil
}
