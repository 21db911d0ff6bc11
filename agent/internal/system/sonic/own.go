package sonic

import (
	"regexp"
	"slices"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// Which rows are ours is marked in the rows themselves, so that a start finds it without a memory:
//   - ports, and what is said of them in INTERFACE and VLAN_MEMBER, where the plan names them;
//   - VLANs by their description, and what hangs on them: VLAN_INTERFACE and VXLAN_TUNNEL_MAP;
//   - VRFs by the form of their name, Vrf and the VNI, or by their VNI where that is mapped to a VLAN of ours.
// All else belongs to somebody else: it is not reported, and never touched.

// mark is the description of our VLANs. The YANG model has the field, and no daemon reads it.
const mark = "pointsman"

var ownVRFName = regexp.MustCompile(`^Vrf[0-9]{1,8}$`)

// ownsVLAN reports whether a VLAN is ours.
func (r rows) ownsVLAN(name string) bool {
	row, there := r[Key{Table: tableVLAN, Name: name}]
	return there && row["description"] == mark
}

// ownsVRF reports whether a VRF's row is ours.
func (r rows) ownsVRF(name string) bool {
	row, there := r[Key{Table: tableVRF, Name: name}]
	if !there {
		return false
	}
	if name == provisionVRF || ownVRFName.MatchString(name) {
		return true
	}
	vni := row["vni"]
	return vni != "" && slices.ContainsFunc(r.where(tableTunnelMap, "vni", vni), func(k Key) bool { return r.ownsVLAN(r[k]["vlan"]) })
}

// ownVLANs returns the numbers of our VLANs, sorted.
func (r rows) ownVLANs() []uint16 {
	var out []uint16
	for _, k := range r.of(tableVLAN) {
		if vlan, ok := vlanOf(k.Name); ok && r.ownsVLAN(k.Name) {
			out = append(out, vlan)
		}
	}
	slices.Sort(out)
	return out
}

// foreignVLANs returns the numbers that others hold, sorted.
func (r rows) foreignVLANs() []uint16 {
	var out []uint16
	for _, k := range r.of(tableVLAN) {
		if vlan, ok := vlanOf(k.Name); ok && !r.ownsVLAN(k.Name) {
			out = append(out, vlan)
		}
	}
	slices.Sort(out)
	return out
}

// vlanVRF returns the VRF that the interface of a VLAN is in, by the planner's name; "" if there is none.
func (r rows) vlanVRF(vlan uint16) string {
	return plannedVRF(r[Key{Table: tableVLANInterface, Name: plan.SVIName(vlan)}]["vrf_name"])
}

// metadata is what the switch says of itself.
func (r rows) metadata() Row { return r[Key{Table: tableMetadata, Name: "localhost"}] }
