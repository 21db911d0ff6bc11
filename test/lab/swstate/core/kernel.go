package core

// bridge is the one bridge of a SONiC switch.
const bridge = "Bridge"

// kernel is what the daemons' commands have made of the kernel: enough to know which of them fail.
type kernel struct {
	links     map[string]Link // front-panel ports
	masters   map[string]string
	members   map[string]map[uint16]bool // VLANs of ports in the bridge
	addresses map[string]map[string]bool
	vlans     map[uint16]bool
}

func newKernel() kernel {
	return kernel{
		links: map[string]Link{}, masters: map[string]string{}, members: map[string]map[uint16]bool{},
		addresses: map[string]map[string]bool{}, vlans: map[uint16]bool{},
	}
}

// setMaster moves a device. A port that leaves the bridge leaves its VLANs.
func (s *Switch) setMaster(device, master string) {
	if s.kernel.masters[device] == master {
		return
	}
	s.enterMaster(device, master)
	s.effect(SetMaster{device, master})
}

func (s *Switch) enterMaster(device, master string) {
	if s.kernel.masters[device] == bridge && master != bridge {
		delete(s.kernel.members, device)
	}
	s.kernel.masters[device] = master
}

func (s *Switch) joinVLAN(port string, vlan uint16, untagged bool) {
	s.enterMaster(port, bridge)
	if s.kernel.members[port] == nil {
		s.kernel.members[port] = map[uint16]bool{}
	}
	s.kernel.members[port][vlan] = untagged
	s.effect(JoinVLAN{port, vlan, untagged})
}

// present reports whether a port's device is there. A daemon's command on one that is not fails, which a port that is pulled out of a lab's
// switch must not be punished for: no real switch loses a device that is configured.
func (s *Switch) present(port string) bool {
	_, ok := s.kernel.links[port]
	return ok
}

// Master returns what the kernel has a device in.
func (s *Switch) Master(device string) string { return s.kernel.masters[device] }
