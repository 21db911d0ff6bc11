package core

import "strconv"

// orchVRF makes a VRF's virtual router, and says so in STATE_DB's VRF_OBJECT_TABLE once its VNI, if it has one, has a VTEP to go through. It stays
// while an interface is in it. (orchagent/vrforch.cpp.)
func (s *Switch) orchVRF(t *task) bool {
	name := t.key.Name
	oid, there := s.asic.routers[name]
	object := state("VRF_OBJECT_TABLE", name)
	if t.delete {
		for _, r := range s.asic.rifs {
			if r.vrf == name {
				return false
			}
		}
		if there {
			s.removeObject("VIRTUAL_ROUTER", oid)
			delete(s.asic.routers, name)
			delete(s.vrfVNIs, name)
			s.deleteRow(object)
		}
		return true
	}
	if !there {
		s.asic.routers[name] = s.object("VIRTUAL_ROUTER", nil)
	}
	vni, _ := strconv.Atoi(t.fields["vni"])
	if vni != 0 && s.evpnVTEP == "" {
		s.log("orchagent", "updateVrfVNIMap unable to find EVPN VTEP")
		return false
	}
	s.vrfVNIs[name] = vni
	if !s.has(object) {
		s.setRow(object, stateOK)
	}
	return true
}

func number[T ~uint16 | ~int](n T) string { return strconv.Itoa(int(n)) }
