package core

// (orchagent/portsorch.cpp: doVlanTask, doVlanMemberTask, addBridgePort, removeBridgePort.)

func (s *Switch) orchVLAN(t *task) bool {
	name := t.key.Name
	oid, there := s.asic.vlans[name]
	switch {
	case !t.delete && !there:
		id, _ := vlanID(name)
		s.asic.vlans[name] = s.object("VLAN", Fields{"VLAN_ID": number(id)})
	case t.delete && there:
		if s.asic.rifs[name].oid != "" || s.tunnelVNIs[name] != 0 {
			return false
		}
		for member := range s.asic.members {
			if member[0] == name {
				return false
			}
		}
		s.removeObject("VLAN", oid)
		delete(s.asic.vlans, name)
	}
	return true
}

func (s *Switch) orchVLANMember(t *task) bool {
	vlan, port := t.key.Name, t.key.Sub
	at := [2]string{vlan, port}
	oid, there := s.asic.members[at]
	if t.delete {
		if there {
			s.removeObject("VLAN_MEMBER", oid)
			delete(s.asic.members, at)
			s.dropBridgePort(port)
		}
		return true
	}
	if there {
		return true
	}
	if s.asic.ports[port] == "" || s.asic.vlans[vlan] == "" {
		return false
	}
	if s.asic.bridgePorts[port] == "" {
		if s.asic.rifs[port].oid != "" {
			s.log("orchagent", "Cannot create bridge port, interface "+port+" is a router port")
			return false
		}
		s.asic.bridgePorts[port] = s.object("BRIDGE_PORT", Fields{
			"TYPE": "SAI_BRIDGE_PORT_TYPE_PORT", "PORT_ID": s.asic.ports[port], "ADMIN_STATE": "true",
			"FDB_LEARNING_MODE": "SAI_BRIDGE_PORT_FDB_LEARNING_MODE_HW",
		})
	}
	tagging := "SAI_VLAN_TAGGING_MODE_UNTAGGED"
	if t.fields["tagging_mode"] == "tagged" {
		tagging = "SAI_VLAN_TAGGING_MODE_TAGGED"
	}
	s.asic.members[at] = s.object("VLAN_MEMBER", Fields{
		"VLAN_ID": s.asic.vlans[vlan], "BRIDGE_PORT_ID": s.asic.bridgePorts[port], "VLAN_TAGGING_MODE": tagging,
	})
	return true
}

// dropBridgePort ends a port's part in the bridge with its last VLAN.
func (s *Switch) dropBridgePort(port string) {
	for member := range s.asic.members {
		if member[1] == port {
			return
		}
	}
	s.removeObject("BRIDGE_PORT", s.asic.bridgePorts[port])
	delete(s.asic.bridgePorts, port)
}
