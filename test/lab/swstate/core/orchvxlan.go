package core

import "strconv"

// (orchagent/vxlanorch.cpp: VxlanTunnelOrch, EvpnNvoOrch, VxlanTunnelMapOrch.)

func (s *Switch) orchTunnel(t *task) bool {
	name := t.key.Name
	oid, there := s.asic.tunnels[name]
	switch {
	case t.delete && there:
		if s.evpnVTEP == name {
			return false
		}
		s.removeObject("TUNNEL", oid)
		s.removeObject("TUNNEL_MAP", s.asic.maps[name])
		delete(s.asic.tunnels, name)
		delete(s.asic.maps, name)
	case !t.delete && !there:
		s.asic.maps[name] = s.object("TUNNEL_MAP", Fields{"TYPE": "SAI_TUNNEL_MAP_TYPE_VNI_TO_VLAN_ID"})
		s.asic.tunnels[name] = s.object("TUNNEL", Fields{
			"TYPE": "SAI_TUNNEL_TYPE_VXLAN", "ENCAP_SRC_IP": t.fields["src_ip"], "DECAP_MAPPERS": "1:" + s.asic.maps[name],
		})
	}
	return true
}

func (s *Switch) orchNVO(t *task) bool {
	if t.delete {
		s.evpnVTEP = ""
		return true
	}
	vtep := t.fields["source_vtep"]
	if s.asic.tunnels[vtep] == "" {
		return false
	}
	s.evpnVTEP = vtep
	return true
}

func (s *Switch) orchTunnelMap(t *task) bool {
	id := t.key.id()
	oid, there := s.asic.mapEntries[id]
	if t.delete {
		if there {
			row := s.rows[objectKey("TUNNEL_MAP_ENTRY", oid)]
			delete(s.tunnelVNIs, "Vlan"+row["SAI_TUNNEL_MAP_ENTRY_ATTR_VLAN_ID_VALUE"])
			s.removeObject("TUNNEL_MAP_ENTRY", oid)
			delete(s.asic.mapEntries, id)
		}
		return true
	}
	vlan, vtep := t.fields["vlan"], t.key.Name
	if there {
		return true
	}
	if s.asic.tunnels[vtep] == "" || s.asic.vlans[vlan] == "" {
		return false
	}
	s.tunnelVNIs[vlan], _ = strconv.Atoi(t.fields["vni"])
	vlanNumber, _ := vlanID(vlan)
	s.asic.mapEntries[id] = s.object("TUNNEL_MAP_ENTRY", Fields{
		"TUNNEL_MAP_TYPE": "SAI_TUNNEL_MAP_TYPE_VNI_TO_VLAN_ID", "TUNNEL_MAP": s.asic.maps[vtep],
		"VLAN_ID_VALUE": number(vlanNumber), "VNI_ID_KEY": t.fields["vni"],
	})
	return true
}
