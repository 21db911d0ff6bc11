package plan

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// tunnelOverhead is what VXLAN over IPv4 adds to a frame, in bytes (RFC 7348).
const tunnelOverhead = netmodel.VXLANOverhead

// AddVNI creates the tunnel device of a VNI, complete: in the bridge, in its VLAN.
type AddVNI struct {
	VNI   netmodel.VNI
	VXLAN VXLAN
	For
}

func (o AddVNI) String() string {
	return fmt.Sprintf("add vxlan %s local %s vlan %d", VNIName(o.VNI), o.VXLAN.Local, o.VXLAN.vlan())
}

func (o AddVNI) links() (needs, marks []Thing) {
	return []Thing{BridgeName}, []Thing{Thing(VNIName(o.VNI))}
}

// vlan is the VLAN that the tunnel's frames belong to.
func (v VXLAN) vlan() uint16 {
	for _, m := range v.VLANs {
		if m.PVID {
			return m.VLAN
		}
	}
	return 0
}

// DeleteVNI deletes the tunnel device of a VNI.
type DeleteVNI struct {
	VNI netmodel.VNI
	For
}

func (o DeleteVNI) String() string { return "delete vxlan " + VNIName(o.VNI) }

// desireVNIs gives each tenant's VNI a tunnel device and a VLAN of this switch's own.
func (b *build) desireVNIs() error {
	var vnis []netmodel.VNI
	for _, t := range b.tenants {
		vnis = append(vnis, t.vni)
	}
	slices.Sort(vnis)
	vlans, err := assign(vnis, b.facts.Assigned.VLANs, b.facts.TakenVLANs, b.ranges.FirstVLAN, b.ranges.LastVLAN)
	if err != nil {
		return fmt.Errorf("choose VLAN of VNI: %w", err)
	}
	b.assigned.VLANs = vlans
	for vni, vlan := range vlans {
		b.kernel.VNIs[vni] = VXLAN{
			Local: b.config.Loopback, MTU: b.config.LinkMTU() - tunnelOverhead, Up: true,
			NeighSuppress: b.limits.NeighbourSuppression, Master: BridgeName, VLANs: access(vlan),
		}
	}
	return nil
}

func (d *difference) vnis() {
	for _, vni := range slices.Sorted(maps.Keys(d.want.VNIs)) {
		want := d.want.VNIs[vni]
		ports := d.portsIn(d.want.SVIs[want.vlan()].VRF)
		have, ok := d.have.VNIs[vni]
		switch {
		case !ok:
			d.add(AddVNI{vni, want, ports})
		case have.Broken || have.Local != want.Local || have.Learning != want.Learning:
			d.add(DeleteVNI{vni, ports}, AddVNI{vni, want, ports})
		default:
			d.vni(VNIName(vni), have, want, ports)
		}
	}
}

func (d *difference) vni(name string, have, want VXLAN, ports For) {
	if have.MTU != want.MTU {
		d.add(SetMTU{name, want.MTU, ports})
	}
	if have.LinkLocal != want.LinkLocal {
		d.add(SetLinkLocal{name, want.LinkLocal, ports})
	}
	if have.Master != want.Master {
		d.add(SetMaster{name, have.Master, want.Master, ports})
		have.VLANs, have.PortLearning, have.NeighSuppress = nil, true, false // as the bridge gives them to a new port
	}
	if have.PortLearning != want.PortLearning {
		d.add(SetBridgePort{name, PortLearning, want.PortLearning, ports})
	}
	if have.NeighSuppress != want.NeighSuppress {
		d.add(SetBridgePort{name, NeighSuppress, want.NeighSuppress, ports})
	}
	d.add(members(name, have.VLANs, want.VLANs, ports)...)
	if !have.Up {
		d.add(SetUp{Device: name, Up: true, For: ports})
	}
}

func (d *difference) staleVNIs() {
	for _, vni := range slices.Sorted(maps.Keys(d.have.VNIs)) {
		if _, wanted := d.want.VNIs[vni]; !wanted {
			d.remove(DeleteVNI{VNI: vni})
		}
	}
}
