package core

import (
	"fmt"
	"strconv"
	"strings"
)

// vlanmgrd carries VLANs and their members into the kernel's bridge and to orchagent. It writes STATE_DB's VLAN_TABLE and VLAN_MEMBER_TABLE when
// the kernel has been told, which says nothing of the ASIC. (cfgmgr/vlanmgr.cpp.)
type vlanmgrd struct{ vlans map[string]bool }

func (s *Switch) startVlanmgrd() {
	s.vlans = map[string]bool{}
	d := s.daemon("vlanmgrd")
	s.subscribe(d, Config, "VLAN", s.vlan)
	s.subscribe(d, Config, "VLAN_MEMBER", s.vlanMember)
}

func vlanID(name string) (uint16, bool) {
	number, ok := strings.CutPrefix(name, "Vlan")
	id, err := strconv.ParseUint(number, 10, 12)
	return uint16(id), ok && err == nil
}

func (s *Switch) vlan(t *task) bool {
	name := t.key.Name
	id, ok := vlanID(name)
	if !ok {
		s.log("vlanmgrd", "invalid key format: "+name)
		return true
	}
	if t.delete {
		if !s.vlans[name] {
			s.log("vlanmgrd", name+" doesn't exist")
			return true
		}
		s.effect(DeleteVLAN{id})
		delete(s.vlans, name)
		delete(s.kernel.masters, name)
		s.unproduce("VLAN_TABLE", name, "")
		s.deleteRow(state("VLAN_TABLE", name))
		return true
	}
	if !s.vlans[name] {
		s.effect(AddVLAN{id, s.mac})
		s.vlans[name] = true
	}
	if status, ok := t.fields["admin_status"]; ok {
		s.effect(SetUp{name, status == "up"})
	}
	if mac, ok := t.fields["mac"]; ok { // the whole bridge gets it, and goes down for that
		s.effect(SetMAC{name, mac})
		s.effect(SetUp{bridge, false})
		s.effect(SetMAC{bridge, mac})
		s.effect(SetUp{bridge, true})
	}
	s.produce("VLAN_TABLE", name, "", Fields{"admin_status": "up", "mtu": defaultMTU, "mac": s.mac, "host_ifname": ""}.merge(t.fields))
	s.setRow(state("VLAN_TABLE", name), stateOK)
	return true
}

// vlanMember moves a port into the bridge, or takes it out, without asking where it is: out of a VRF, too. The command that takes a port out of
// a VLAN fails on one that is not in the bridge, and that is an exception that nobody catches.
func (s *Switch) vlanMember(t *task) bool {
	name, port := t.key.Name, t.key.Sub
	id, ok := vlanID(name)
	if !ok || port == "" {
		s.log("vlanmgrd", "invalid key format: "+t.key.id())
		return true
	}
	member := Key{State, "VLAN_MEMBER_TABLE", name, port}
	if t.delete {
		if !s.has(member) {
			return true
		}
		if s.present(port) && s.kernel.masters[port] != bridge {
			s.die("vlanmgrd", fmt.Sprintf("bridge vlan del vid %d dev %s: operation not supported: the port is not in the bridge", id, port))
			return false
		}
		s.leaveVLAN(port, id)
		s.unproduce("VLAN_MEMBER_TABLE", name, port)
		s.deleteRow(member)
		return true
	}
	if s.has(member) {
		return true
	}
	if !s.has(state("PORT_TABLE", port)) || !s.has(state("VLAN_TABLE", name)) {
		return false
	}
	s.joinVLAN(port, id, t.fields["tagging_mode"] != "tagged")
	s.produce("VLAN_MEMBER_TABLE", name, port, t.fields)
	s.setRow(member, stateOK)
	return true
}

// leaveVLAN takes a port out of a VLAN, and out of the bridge with the last one.
func (s *Switch) leaveVLAN(port string, vlan uint16) {
	if s.present(port) {
		s.effect(LeaveVLAN{port, vlan})
	}
	delete(s.kernel.members[port], vlan)
	if len(s.kernel.members[port]) > 0 {
		return
	}
	if s.present(port) {
		s.setMaster(port, "")
	} else {
		s.enterMaster(port, "")
	}
}
