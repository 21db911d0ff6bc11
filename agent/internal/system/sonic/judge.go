package sonic

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// judge makes of what the kernel and the databases say what the switch is: something is there only where all of them agree. What they
// disagree on is reported as what the planner must set right: a port in a place of a name that nobody wants, a VRF that is down, a
// device that is broken. It is pure.
func judge(kernel plan.Kernel, s sight) plan.Kernel {
	j := &judgement{kernel: kernel, sight: s}
	j.vrfOf, j.routerOf = s.virtualRouters()
	kernel.VRFs = j.vrfs()
	kernel.Bridge = j.bridge()
	kernel.SVIs = j.svis()
	kernel.VNIs = j.vnis()
	kernel.Ports = j.ports()
	kernel.Unreachable = j.unreachable()
	return kernel
}

type judgement struct {
	sight
	kernel          plan.Kernel // as the kernel alone has it
	vrfOf, routerOf map[string]string
}

// vrfs are up only if orchagent has made their object. The kernel's device may be there without: for a VNI that another VRF has, or
// while there is no NVO.
func (j *judgement) vrfs() map[string]plan.VRF {
	out := map[string]plan.VRF{}
	for _, k := range j.config.of(tableVRF) {
		if !j.config.ownsVRF(k.Name) {
			continue
		}
		v := j.kernel.VRFs[plannedVRF(k.Name)] // without a device, of table 0: nobody looks routes up there
		_, object := j.state[Key{Table: stateVRFObject, Name: k.Name}]
		v.Up = v.Up && object && !j.otherVNI(k)
		out[plannedVRF(k.Name)] = v
	}
	return out
}

// otherVNI reports whether a VRF's row names another VNI than the one that its VLAN is mapped to. Changed in place, nobody follows it.
func (j *judgement) otherVNI(vrf Key) bool {
	mapped := mappedVNI(j.config, vrf.Name)
	return mapped != 0 && uint64(mapped) != j.config[vrf].number("vni")
}

// mappedVNI returns the VNI of a VRF by its VLAN and the tunnel's map; 0 is none.
func mappedVNI(config rows, vrf string) netmodel.VNI {
	for _, k := range config.where(tableVLANInterface, "vrf_name", vrf) {
		for _, m := range config.where(tableTunnelMap, "vlan", k.Name) {
			return netmodel.VNI(config[m].number("vni"))
		}
	}
	return 0
}

// bridge is swss's own but for its MTU. Ports are in no VLAN until told there, too: vlanmgrd takes each new member out of the bridge's
// default VLAN, and dies where there is none.
func (j *judgement) bridge() *plan.Bridge {
	b := j.kernel.Bridge
	if b == nil {
		return nil
	}
	ours := *b
	ours.DefaultPVID = 0
	ours.VLANs = nil
	for _, vlan := range j.config.ownVLANs() {
		_, ok := j.state[Key{Table: stateVLAN, Name: plan.SVIName(vlan)}]
		if ok && slices.Contains(b.VLANs, vlan) {
			ours.VLANs = append(ours.VLANs, vlan)
		}
	}
	return &ours
}

func (j *judgement) svis() map[uint16]plan.SVI {
	out := map[uint16]plan.SVI{}
	for _, vlan := range j.config.ownVLANs() {
		name := plan.SVIName(vlan)
		row, there := j.config[Key{Table: tableVLANInterface, Name: name}]
		if !there {
			continue // a VLAN's device is there before it is anybody's interface
		}
		svi, device := j.kernel.SVIs[vlan]
		ack, ok := j.state[Key{Table: stateInterface, Name: name}]
		if !device || !ok || ack["vrf"] != row["vrf_name"] {
			svi.Broken = true
		}
		if svi.MTU != mtuOf(j.config[Key{Table: tableVLAN, Name: name}]) {
			svi.MTU = 0
		}
		out[vlan] = svi
	}
	return out
}

// defaultMTU is what SONiC takes where a row does not say.
const defaultMTU = 9100

func mtuOf(row Row) int {
	if n := row.number("mtu"); n != 0 {
		return int(n)
	}
	return defaultMTU
}

func (j *judgement) vnis() map[netmodel.VNI]plan.VXLAN {
	out := map[netmodel.VNI]plan.VXLAN{}
	for _, k := range j.config.of(tableTunnelMap) {
		row := j.config[k]
		vlan, ok := vlanOf(row["vlan"])
		if !ok || !j.config.ownsVLAN(row["vlan"]) {
			continue
		}
		vni := netmodel.VNI(row.number("vni"))
		v, device := j.kernel.VNIs[vni]
		if !device || v.Local.String() != j.config[Key{Table: tableTunnel, Name: k.Name}]["src_ip"] || !untaggedIn(v.VLANs, vlan) {
			v = plan.VXLAN{Broken: true, Local: v.Local, Master: plan.BridgeName, VLANs: []plan.Member{{VLAN: vlan, PVID: true, Untagged: true}}}
		}
		out[vni] = v
	}
	return out
}

func untaggedIn(members []plan.Member, vlan uint16) bool {
	return slices.Contains(members, plan.Member{VLAN: vlan, PVID: true, Untagged: true})
}

// unreachable leaves out what ends the tables of VRFs that are not ours.
func (j *judgement) unreachable() map[plan.DefaultRoute]bool {
	foreign := map[uint32]bool{}
	for name, v := range j.kernel.VRFs {
		if !j.config.ownsVRF(vrfRow(name)) {
			foreign[v.Table] = true
		}
	}
	out := map[plan.DefaultRoute]bool{}
	for route := range j.kernel.Unreachable {
		if !foreign[route.Table] {
			out[route] = true
		}
	}
	return out
}

// unsettled is the place of a port of which the planes do not say the same. Nobody wants it, so the planner moves the port.
func unsettled(place, why string) string {
	return fmt.Sprintf("%s (%s)", cmp.Or(place, "the default VRF"), why)
}
