package core

import (
	"fmt"
	"strconv"
)

// vrfmgrd carries VRFs into the kernel and to orchagent, and keeps VNIs apart. STATE_DB's VRF_TABLE says ok as soon as the kernel has the device,
// also where the row then goes no further. (cfgmgr/vrfmgr.cpp.)
type vrfmgrd struct {
	tables map[string]uint32
	vnis   map[string]int // of VRFs
}

const (
	firstTable = 1001
	lastTable  = 5096
	maxName    = 15 // of a device
)

func (s *Switch) startVrfmgrd() {
	s.tables, s.vnis = map[string]uint32{}, map[string]int{}
	s.subscribe(s.daemon("vrfmgrd"), Config, "VRF", s.vrf)
}

func (s *Switch) vrf(t *task) bool {
	if t.delete {
		return s.deleteVRF(t.key.Name)
	}
	name := t.key.Name
	if _, ok := s.tables[name]; !ok {
		table := s.freeTable()
		if table == 0 {
			s.log("vrfmgrd", "Failed to create vrf netdev "+name)
			return true
		}
		if len(name) > maxName {
			s.die("vrfmgrd", fmt.Sprintf("ip link add %s type vrf table %d: the name is longer than %d characters", name, table, maxName))
			return false
		}
		s.tables[name] = table
		s.effect(AddVRF{name, table})
	}
	s.setRow(state("VRF_TABLE", name), stateOK)
	if vni := t.fields["vni"]; vni != "" {
		if _, err := strconv.Atoi(vni); err != nil {
			s.die("vrfmgrd", fmt.Sprintf("vni %q of %s is no number", vni, name))
			return false
		}
	}
	if !s.mapVNI(name, t.fields["vni"]) {
		s.log("vrfmgrd", "VRF VNI Map Config Failed")
		return true // dropped, and never tried again
	}
	s.produce("VRF_TABLE", name, "", t.fields)
	return true
}

// mapVNI gives a VRF its VNI: one that no other has, and that it did not have another one before.
func (s *Switch) mapVNI(name, text string) bool {
	vni, _ := strconv.Atoi(text)
	if vni == 0 {
		delete(s.vnis, name)
		return true
	}
	for other, taken := range s.vnis {
		if taken == vni {
			s.log("vrfmgrd", fmt.Sprintf("vni %d is already mapped to vrf %s", vni, other))
			return false
		}
	}
	if old := s.vnis[name]; old != 0 {
		s.log("vrfmgrd", fmt.Sprintf("vrf %s is already mapped to vni %d", name, old))
		return false
	}
	s.vnis[name] = vni
	return true
}

// deleteVRF waits for orchagent's object to come before it has it deleted, and for it to be gone before it deletes the device. A VRF whose
// object never comes, one with another's VNI, can therefore not be deleted either.
func (s *Switch) deleteVRF(name string) bool {
	object := s.has(state("VRF_OBJECT_TABLE", name))
	if s.has(state("VRF_TABLE", name)) {
		if !object {
			return false
		}
		delete(s.vnis, name)
		s.unproduce("VRF_TABLE", name, "")
		s.deleteRow(state("VRF_TABLE", name))
		return false // the object is there still
	}
	if object {
		return false
	}
	if _, ok := s.tables[name]; !ok {
		s.log("vrfmgrd", "Failed to remove vrf netdev "+name)
		return true
	}
	delete(s.tables, name)
	for device, master := range s.kernel.masters {
		if master == name {
			s.kernel.masters[device] = ""
		}
	}
	s.effect(DeleteDevice{name})
	return true
}

func (s *Switch) freeTable() uint32 {
	taken := map[uint32]bool{}
	for _, table := range s.tables {
		taken[table] = true
	}
	for table := uint32(firstTable); table <= lastTable; table++ {
		if !taken[table] {
			return table
		}
	}
	return 0
}
