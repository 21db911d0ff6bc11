package core

import (
	"fmt"
	"strconv"
)

// vxlanmgrd makes a VXLAN device for each VLAN with a VNI. A map whose VLAN or VNI is mapped already is dropped and never tried again: within a
// batch the new map may come before the old one's deletion, as they are sorted by key. (cfgmgr/vxlanmgr.cpp.)
type vxlanmgrd struct {
	vteps   map[string]string // source addresses
	nvo     map[string]string // VTEPs, by the name of the NVO
	maps    map[string]tunnelMap
	mapVLAN map[string]string // keys of maps, by VLAN
	mapVNIs map[string]string // keys of maps, by VNI
}

type tunnelMap struct{ vtep, vlan, vni string }

func (m tunnelMap) device() string { return m.vtep + "-" + m.vlan[len("Vlan"):] }

func (s *Switch) startVxlanmgrd() {
	s.vxlanmgrd = vxlanmgrd{vteps: map[string]string{}, nvo: map[string]string{}, maps: map[string]tunnelMap{}, mapVLAN: map[string]string{}, mapVNIs: map[string]string{}}
	d := s.daemon("vxlanmgrd")
	s.subscribe(d, Config, "VXLAN_EVPN_NVO", s.evpnNVO)
	s.subscribe(d, Config, "VXLAN_TUNNEL", s.tunnel)
	s.subscribe(d, Config, "VXLAN_TUNNEL_MAP", s.tunnelMap)
}

func (s *Switch) tunnel(t *task) bool {
	name := t.key.Name
	if !t.delete {
		s.vteps[name] = t.fields["src_ip"]
		s.produce("VXLAN_TUNNEL_TABLE", name, "", t.fields)
		return true
	}
	for _, vtep := range s.nvo {
		if vtep == name {
			return false
		}
	}
	if s.mapped(name) {
		return false
	}
	delete(s.vteps, name)
	s.unproduce("VXLAN_TUNNEL_TABLE", name, "")
	return true
}

func (s *Switch) mapped(vtep string) bool {
	for _, m := range s.maps {
		if m.vtep == vtep {
			return true
		}
	}
	return false
}

// evpnNVO takes every field for the VTEP's: one that is not there keeps the row waiting for ever.
func (s *Switch) evpnNVO(t *task) bool {
	name := t.key.Name
	if t.delete {
		if s.mapped(s.nvo[name]) {
			return false
		}
		delete(s.nvo, name)
		s.unproduce("VXLAN_EVPN_NVO_TABLE", name, "")
		return true
	}
	if _, ok := s.nvo[name]; ok {
		s.log("vxlanmgrd", "Only Single NVO object allowed")
		return true
	}
	for _, value := range t.fields {
		if s.vteps[value] == "" {
			s.log("vxlanmgrd", fmt.Sprintf("NVO %s creation failed. VTEP not present", name))
			return false
		}
	}
	s.nvo[name] = t.fields["source_vtep"]
	s.produce("VXLAN_EVPN_NVO_TABLE", name, "", t.fields)
	return true
}

func (s *Switch) tunnelMap(t *task) bool {
	id := t.key.id()
	if t.delete {
		m, ok := s.maps[id]
		s.unproduce("VXLAN_TUNNEL_MAP_TABLE", t.key.Name, t.key.Sub)
		if !ok {
			s.log("vxlanmgrd", "Error deleting tunnmap : "+id)
			return true
		}
		s.effect(DeleteDevice{m.device()})
		delete(s.maps, id)
		delete(s.mapVLAN, m.vlan)
		delete(s.mapVNIs, m.vni)
		s.deleteRow(state("SUPPRESS_VLAN_NEIGH_TABLE", m.vlan))
		return true
	}
	m := tunnelMap{t.key.Name, t.fields["vlan"], t.fields["vni"]}
	vlan, ok := vlanID(m.vlan)
	vni, err := strconv.Atoi(m.vni)
	switch {
	case !ok || err != nil:
		s.log("vxlanmgrd", "invalid vlan or vni in "+id)
		return true
	case s.maps[id] != tunnelMap{}:
		s.log("vxlanmgrd", "Map already present : "+id)
		return true
	case s.mapVLAN[m.vlan] != "":
		s.log("vxlanmgrd", fmt.Sprintf("Vlan %s already mapped. Map Create failed for : %s", m.vlan, id))
		return true
	case s.mapVNIs[m.vni] != "":
		s.log("vxlanmgrd", fmt.Sprintf("VNI %s already mapped. Map Create failed for : %s", m.vni, id))
		return true
	case s.vteps[m.vtep] == "" || !s.has(state("VLAN_TABLE", m.vlan)):
		return false
	}
	s.produce("VXLAN_TUNNEL_MAP_TABLE", t.key.Name, t.key.Sub, t.fields)
	if len(m.device()) > maxName { // the command fails, which is logged, and the rest goes on
		s.log("vxlanmgrd", "Vxlan Net Dev creation failure for "+m.device())
	} else {
		s.effect(AddVXLAN{Name: m.device(), Local: s.vteps[m.vtep], MAC: s.mac, VNI: vni, VLAN: vlan})
	}
	s.maps[id], s.mapVLAN[m.vlan], s.mapVNIs[m.vni] = m, id, id
	s.setRow(state("SUPPRESS_VLAN_NEIGH_TABLE", m.vlan), Fields{"netdev": m.device()})
	return true
}
