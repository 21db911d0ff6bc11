package core

import (
	"maps"
	"strings"
)

// startIntfmgrd starts what puts routed interfaces, ports and SVIs, into their VRF and gives them addresses. Like vlanmgrd, it moves a port without asking where
// it is. (cfgmgr/intfmgr.cpp.)
func (s *Switch) startIntfmgrd() {
	d := s.daemon("intfmgrd")
	for _, table := range []string{"INTERFACE", "LOOPBACK_INTERFACE", "VLAN_INTERFACE"} {
		s.subscribe(d, Config, table, s.intf)
	}
}

func (s *Switch) intf(t *task) bool {
	if t.key.Sub != "" {
		return s.intfAddress(t)
	}
	name := t.key.Name
	if t.delete {
		// Its addresses go first, or they would be in the default VRF for a while.
		if len(s.kernel.addresses[name]) > 0 {
			return false
		}
		s.moveIntf(name, "")
		s.unproduce("INTF_TABLE", name, "")
		s.deleteRow(state("INTERFACE_TABLE", name))
		return true
	}
	vrf := t.fields["vrf_name"]
	if !s.intfReady(name) || vrf != "" && !s.has(state("VRF_TABLE", vrf)) {
		return false
	}
	// The source has a check here (isIntfChangeVrf) that would refuse another VRF than STATE_DB's. On a running switch a row that was changed in
	// place was seen to reach the kernel, so it does here; either way the ASIC keeps the old one.
	if vrf != "" {
		s.moveIntf(name, vrf)
	}
	s.produce("INTF_TABLE", name, "", Fields{"mac_addr": "00:00:00:00:00:00"}.merge(t.fields))
	s.setRow(state("INTERFACE_TABLE", name), Fields{"vrf": vrf})
	return true
}

func (s *Switch) intfAddress(t *task) bool {
	name, prefix := t.key.Name, t.key.Sub
	key := Key{State, "INTERFACE_TABLE", name, prefix}
	if t.delete {
		if s.kernel.addresses[name][prefix] {
			delete(s.kernel.addresses[name], prefix)
			s.effect(Address{Device: name, Prefix: prefix, Delete: true})
		}
		s.unproduce("INTF_TABLE", name, prefix)
		s.deleteRow(key)
		return true
	}
	if !s.intfReady(name) || !s.has(state("INTERFACE_TABLE", name)) {
		return false
	}
	addresses := maps.Clone(s.kernel.addresses[name])
	if addresses == nil {
		addresses = map[string]bool{}
	}
	addresses[prefix] = true
	s.kernel.addresses[name] = addresses
	s.effect(Address{Device: name, Prefix: prefix})
	s.produce("INTF_TABLE", name, prefix, Fields{"scope": "global", "family": family(prefix)})
	s.setRow(key, stateOK)
	return true
}

func (s *Switch) intfReady(name string) bool {
	if loopback(name) {
		return true
	}
	if _, ok := vlanID(name); ok {
		return s.has(state("VLAN_TABLE", name))
	}
	return s.has(state("PORT_TABLE", name))
}

// moveIntf sets a device's VRF; a command that fails is logged, and nothing else.
func (s *Switch) moveIntf(name, vrf string) {
	_, isVLAN := vlanID(name)
	switch {
	case isVLAN && !s.vlans[name], !isVLAN && !loopback(name) && !s.present(name):
		s.log("intfmgrd", "ip link set "+name+": cannot find device")
		if vrf == "" {
			s.enterMaster(name, "")
		}
	default:
		s.setMaster(name, vrf)
	}
}

func loopback(name string) bool { return strings.HasPrefix(name, "Loopback") }

func family(prefix string) string {
	if strings.Contains(prefix, ":") {
		return "IPv6"
	}
	return "IPv4"
}
