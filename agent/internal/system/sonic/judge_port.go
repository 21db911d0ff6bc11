package sonic

import (
	"fmt"
	"slices"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// linkLocalOnly is the field that lets a routed interface do with its link-local address: BGP unnumbered needs no other.
const linkLocalOnly = "ipv6_use_link_local_only"

// ports are those that have a row, a device and a number in the ASIC: without that, no move could be waited for.
func (j *judgement) ports() map[string]plan.Port {
	out := map[string]plan.Port{}
	for _, k := range j.config.of(tablePort) {
		if p, ok := j.kernel.Ports[k.Name]; ok && j.oids[k.Name] != "" {
			out[k.Name] = j.port(k.Name, p, j.config[k])
		}
	}
	return out
}

// port is up where its row and the kernel say so, and its place is settled.
func (j *judgement) port(name string, kernel plan.Port, row Row) plan.Port {
	p := kernel
	p.Up = kernel.Up && row["admin_status"] == "up"
	if kernel.MTU != mtuOf(row) {
		p.MTU = 0 // neither: it is set
	}
	p.Master = j.placeOf(name, kernel)
	if p.Master != plan.BridgeName {
		p.VLANs, p.Isolated = nil, false
	}
	// In the default VRF a port that is to carry packets is routed, with a link-local address. One that is not is as good as down.
	if p.Master == "" && j.config[Key{Table: tableInterface, Name: name}][linkLocalOnly] != "enable" {
		p.Up = false
	}
	return p
}

// placeOf compares what the rows ask for with what the daemons, the ASIC and the kernel say.
func (j *judgement) placeOf(name string, kernel plan.Port) string {
	oid := j.oids[name]
	_, bridged := j.bridged[oid]
	router, routed := j.routed[oid]
	row, wantsRouted := j.config[Key{Table: tableInterface, Name: name}]
	members := j.config.memberships(name)
	switch {
	case wantsRouted && len(members) > 0:
		return unsettled(plannedVRF(row["vrf_name"]), "and in "+members[0].Name)
	case wantsRouted && bridged:
		return unsettled(plannedVRF(row["vrf_name"]), "the ASIC bridges it")
	case wantsRouted:
		return j.routedPlace(name, row, kernel, router, routed)
	case len(members) > 0 && routed:
		return unsettled(members[0].Name, "the ASIC routes it")
	case len(members) > 0:
		return j.bridgedPlace(name, members, kernel, bridged)
	case routed, bridged:
		return unsettled("nothing", "the ASIC still has it in a VRF or VLAN")
	case kernel.Master != "":
		return unsettled("nothing", "the kernel has it in "+kernel.Master)
	}
	return ""
}

func (j *judgement) routedPlace(name string, row Row, kernel plan.Port, router string, routed bool) string {
	vrf := row["vrf_name"]
	place := plannedVRF(vrf)
	ack, ok := j.state[Key{Table: stateInterface, Name: name}]
	switch {
	case !ok || ack["vrf"] != vrf:
		return unsettled(place, fmt.Sprintf("%s says %q", stateDB, ack["vrf"]))
	case !routed:
		return unsettled(place, "the ASIC does not route it")
	case j.elsewhere(router, vrf):
		return unsettled(place, fmt.Sprintf("the ASIC has it in %q", j.vrfOf[router]))
	case kernel.Master != place:
		return unsettled(place, fmt.Sprintf("the kernel has it in %q", kernel.Master))
	}
	if vrf != "" && row[linkLocalOnly] != "enable" {
		return unsettled(place, "without a link-local address")
	}
	return place
}

// elsewhere reports whether a virtual router is not that of a VRF. Of a VRF without a VLAN's interface, and of an ASIC that does not
// say, nothing is known.
func (j *judgement) elsewhere(router, vrf string) bool {
	if router == "" {
		return false
	}
	if own, known := j.routerOf[vrf]; known {
		return own != router
	}
	_, others := j.vrfOf[router]
	return others
}

// bridgedPlace is the bridge where one of its VLANs is ours. A port in others' VLANs only is theirs, or is moved if it is to be ours.
func (j *judgement) bridgedPlace(name string, members []Key, kernel plan.Port, bridged bool) string {
	if !slices.ContainsFunc(members, func(k Key) bool { return j.config.ownsVLAN(k.Name) }) {
		return unsettled(plan.BridgeName, "in "+members[0].Name+", which is not ours")
	}
	if !bridged {
		return unsettled(plan.BridgeName, "the ASIC does not bridge it")
	}
	if kernel.Master != plan.BridgeName {
		return unsettled(plan.BridgeName, fmt.Sprintf("the kernel has it in %q", kernel.Master))
	}
	for _, k := range members {
		vlan, _ := vlanOf(k.Name)
		_, ok := j.state[Key{Table: stateMember, Name: k.Name, Sub: name}]
		if !ok || !slices.ContainsFunc(kernel.VLANs, func(m plan.Member) bool { return m.VLAN == vlan }) {
			return unsettled(plan.BridgeName, "not in "+k.Name+" yet")
		}
	}
	return plan.BridgeName
}
