package core

import (
	"fmt"
	"strings"
)

// asic holds what orchagent has made of the ASIC, by the names that orchagent knows; ASIC_DB has the same by object numbers.
type asic struct {
	count       uint64
	router      string            // the default VRF's object
	ports       map[string]string // objects of ports, by name
	bridgePorts map[string]string // by port
	vlans       map[string]string
	members     map[[2]string]string // by VLAN and port
	routers     map[string]string    // by VRF
	rifs        map[string]rif       // by port or SVI
	tunnels     map[string]string    // by VTEP
	maps        map[string]string    // by VTEP: its map of VNIs to VLANs
	mapEntries  map[string]string    // by key
}

// rif is a router interface.
type rif struct {
	oid, vrf  string
	addresses map[string]bool
}

// Object types, as they stand in an object's number. (SAI's saitypes.h.)
var objectTypes = map[string]uint64{
	"PORT": 0x1, "VIRTUAL_ROUTER": 0x3, "ROUTER_INTERFACE": 0x6, "SWITCH": 0x21, "VLAN": 0x26, "VLAN_MEMBER": 0x27, "TUNNEL_MAP": 0x29,
	"TUNNEL": 0x2a, "BRIDGE": 0x39, "BRIDGE_PORT": 0x3a, "TUNNEL_MAP_ENTRY": 0x3b,
}

func newASIC(first uint64) asic {
	return asic{
		count: first, ports: map[string]string{}, bridgePorts: map[string]string{}, vlans: map[string]string{}, members: map[[2]string]string{},
		routers: map[string]string{}, rifs: map[string]rif{}, tunnels: map[string]string{}, maps: map[string]string{}, mapEntries: map[string]string{},
	}
}

func objectKey(kind, oid string) Key { return Key{Asic, "ASIC_STATE", "SAI_OBJECT_TYPE_" + kind, oid} }

// object makes an object with attributes, whose names lack SAI_<kind>_ATTR_.
func (s *Switch) object(kind string, attributes Fields) string {
	s.asic.count++
	oid := fmt.Sprintf("oid:%#x", objectTypes[kind]<<48|s.asic.count)
	s.setAttributes(kind, oid, attributes)
	return oid
}

func (s *Switch) setAttributes(kind, oid string, attributes Fields) {
	named := Fields{}
	for name, value := range attributes {
		named["SAI_"+kind+"_ATTR_"+name] = value
	}
	s.setRow(objectKey(kind, oid), named)
}

func (s *Switch) removeObject(kind, oid string) { s.deleteRow(objectKey(kind, oid)) }

// startASIC makes what is there before anybody configures anything.
func (s *Switch) startASIC() {
	s.asic = newASIC(s.options.FirstOID)
	s.object("SWITCH", Fields{"INIT_SWITCH": "true", "SRC_MAC_ADDRESS": strings.ToUpper(s.mac)})
	s.asic.router = s.object("VIRTUAL_ROUTER", nil)
	s.object("BRIDGE", Fields{"TYPE": "SAI_BRIDGE_TYPE_1Q"})
	s.object("VLAN", Fields{"VLAN_ID": "1"})
}
