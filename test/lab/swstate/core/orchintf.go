package core

import "fmt"

// orchIntf makes router interfaces. One that is there is never moved: a row with another VRF changes nothing. And a port that is a bridge port
// cannot become one: the ASIC refuses, and that is an exception that nobody catches. (orchagent/intfsorch.cpp: doTask, setIntf, addRouterIntfs.)
func (s *Switch) orchIntf(t *task) bool {
	name, prefix := t.key.Name, t.key.Sub
	r, there := s.asic.rifs[name]
	switch {
	case loopback(name):
		return true
	case t.delete && !there:
		return true
	case t.delete && prefix != "":
		delete(r.addresses, prefix)
		return true
	case t.delete:
		if len(r.addresses) > 0 {
			return false
		}
		s.removeObject("ROUTER_INTERFACE", r.oid)
		delete(s.asic.rifs, name)
		return true
	case prefix != "":
		if there {
			r.addresses[prefix] = true
		}
		return there
	}
	vrf := t.fields["vrf_name"]
	router := s.asic.router
	if vrf != "" {
		if router = s.asic.routers[vrf]; router == "" {
			return false
		}
	}
	if there {
		return true
	}
	attributes, ok := s.rifOn(name)
	if !ok {
		return false
	}
	if s.asic.bridgePorts[name] != "" {
		s.die("orchagent", fmt.Sprintf("Failed to create router interface %s: the port is a bridge port", name))
		return false
	}
	oid := s.object("ROUTER_INTERFACE", attributes.merge(Fields{"VIRTUAL_ROUTER_ID": router, "SRC_MAC_ADDRESS": s.mac}))
	s.asic.rifs[name] = rif{oid: oid, vrf: vrf, addresses: map[string]bool{}}
	return true
}

// rifOn says what a router interface is on: a port, or a VLAN.
func (s *Switch) rifOn(name string) (Fields, bool) {
	if _, ok := vlanID(name); ok {
		oid := s.asic.vlans[name]
		return Fields{"TYPE": "SAI_ROUTER_INTERFACE_TYPE_VLAN", "VLAN_ID": oid, "MTU": defaultMTU}, oid != ""
	}
	oid := s.asic.ports[name]
	mtu := s.rows[Key{DB: Appl, Table: "PORT_TABLE", Name: name}]["mtu"]
	return Fields{"TYPE": "SAI_ROUTER_INTERFACE_TYPE_PORT", "PORT_ID": oid, "MTU": mtu}, oid != ""
}
