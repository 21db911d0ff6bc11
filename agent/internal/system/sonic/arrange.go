package sonic

import (
	"maps"
	"slices"
	"strconv"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// arrange puts steps into the order that SONiC can carry out: all VRFs before what ends their tables, as vrfmgrd chooses the tables and
// that of VRF provision is the first, as the planner has it; and what a port is as a bridge port after it has become one. Nothing
// passes a step that it relies on, nor one that relies on it.
func arrange(ops []plan.Op) []plan.Op {
	out := slices.Clone(ops)
	slices.SortStableFunc(out[:additions(out)], func(a, b plan.Op) int { return vrfRank(a) - vrfRank(b) })
	for i := range out {
		flag, ok := out[i].(plan.SetBridgePort)
		if !ok || !isPort(flag.Device) {
			continue
		}
		for at := i; at+1 < len(out); at++ {
			member, ok := out[at+1].(plan.AddMember)
			if !ok || member.Device != flag.Device {
				break
			}
			out[at], out[at+1] = out[at+1], out[at]
		}
	}
	return out
}

// additions counts the steps at the beginning that make VRFs, and what precedes those.
func additions(ops []plan.Op) int {
	last := 0
	for i, op := range ops {
		switch op.(type) {
		case plan.AddVRF:
			last = i + 1
		case plan.SetSysctl, plan.AddRule, plan.DeleteRule, plan.AddAddress, plan.AddUnreachable, plan.SetUp:
		default:
			return last
		}
	}
	return last
}

func vrfRank(op plan.Op) int {
	switch o := op.(type) {
	case plan.AddVRF:
		if o.Name == plan.ProvisionVRF {
			return 1
		}
		return 2
	case plan.AddUnreachable, plan.SetUp:
		return 3
	}
	return 0
}

// aims is what the steps of one Apply say together that no single one says: which VNI a VRF gets, which VLAN is whose, and how large
// its packets are.
type aims struct {
	vlanVRF map[uint16]string
	vlanMTU map[uint16]int
	vniVLAN map[netmodel.VNI]uint16
	local   string // the tunnel's end
}

func aimsOf(ops []plan.Op) aims {
	a := aims{map[uint16]string{}, map[uint16]int{}, map[netmodel.VNI]uint16{}, ""}
	for _, op := range ops {
		switch o := op.(type) {
		case plan.AddSVI:
			a.vlanVRF[o.VLAN], a.vlanMTU[o.VLAN] = o.SVI.VRF, o.SVI.MTU
		case plan.SetMaster:
			if vlan, ok := vlanOf(o.Device); ok {
				a.vlanVRF[vlan] = o.To
			}
		case plan.SetMTU:
			if vlan, ok := vlanOf(o.Device); ok {
				a.vlanMTU[vlan] = o.MTU
			}
		case plan.AddVNI:
			a.local = o.VXLAN.Local.String()
			for _, m := range o.VXLAN.VLANs {
				if m.PVID {
					a.vniVLAN[o.VNI] = m.VLAN
				}
			}
		}
	}
	return a
}

// vniOf is the VNI that a VRF gets by these steps, or has by its rows; 0 if it is to have none.
func (e *executor) vniOf(vrf string) netmodel.VNI {
	for _, vni := range slices.Sorted(maps.Keys(e.aims.vniVLAN)) {
		if e.vrfOfVLAN(e.aims.vniVLAN[vni]) == vrf {
			return vni
		}
	}
	return mappedVNI(e.snapshot(), vrfRow(vrf))
}

// vrfOfVLAN is the VRF that a VLAN's interface gets by these steps, or has by its row.
func (e *executor) vrfOfVLAN(vlan uint16) string {
	if vrf, ok := e.aims.vlanVRF[vlan]; ok {
		return vrf
	}
	return e.snapshot().vlanVRF(vlan)
}

// vlanOfVNI is the VLAN that a VNI gets by these steps, or has by its row; 0 if none.
func (e *executor) vlanOfVNI(vni netmodel.VNI) uint16 {
	if vlan, ok := e.aims.vniVLAN[vni]; ok {
		return vlan
	}
	config := e.snapshot()
	for _, k := range config.where(tableTunnelMap, "vni", strconv.Itoa(int(vni))) {
		vlan, _ := vlanOf(config[k]["vlan"])
		return vlan
	}
	return 0
}

// lane lets each port, and each tenant, wait by itself. VRFs are made one after the other: vrfmgrd numbers their tables as they come.
func (e *executor) lane(op plan.Op) string {
	vlanLane := func(vlan uint16) string {
		if vrf := e.vrfOfVLAN(vlan); vrf != "" {
			return "vrf " + vrf
		}
		return ""
	}
	switch o := op.(type) {
	case plan.SetUp:
		return portLane(o.Device)
	case plan.SetMTU:
		return portLane(o.Device)
	case plan.SetMaster:
		return portLane(o.Device)
	case plan.SetBridgePort:
		return portLane(o.Device)
	case plan.AddMember:
		if o.Device == plan.BridgeName {
			return vlanLane(o.Member.VLAN)
		}
		return portLane(o.Device)
	case plan.DeleteMember:
		if o.Device == plan.BridgeName {
			return vlanLane(o.VLAN)
		}
		return portLane(o.Device)
	case plan.AddSVI:
		return vlanLane(o.VLAN)
	case plan.DeleteSVI:
		return vlanLane(o.VLAN)
	case plan.AddVNI:
		return vlanLane(e.vlanOfVNI(o.VNI))
	case plan.DeleteVNI:
		return vlanLane(e.vlanOfVNI(o.VNI))
	case plan.AddUnreachable:
		return "vrf " + o.VRF
	case plan.DeleteVRF:
		return "vrf " + o.Name
	}
	return ""
}

func portLane(device string) string {
	if isPort(device) {
		return "port " + device
	}
	return ""
}
