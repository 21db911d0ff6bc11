package plan

import (
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
)

// AddBridge creates the VLAN-aware bridge, with its address.
type AddBridge struct {
	Bridge Bridge // its VLANs follow as members
	For
}

func (o AddBridge) String() string {
	return fmt.Sprintf("add bridge %s mac %s mtu %d", BridgeName, o.Bridge.MAC, o.Bridge.MTU)
}

func (o AddBridge) links() (needs, marks []Thing) { return nil, []Thing{BridgeName} }

// SetVLANFiltering makes an existing bridge VLAN-aware, with no default VLAN.
type SetVLANFiltering struct{ For }

func (o SetVLANFiltering) String() string { return "set bridge vlan_filtering 1 default_pvid 0" }

func (o SetVLANFiltering) links() (needs, marks []Thing) {
	return []Thing{BridgeName}, []Thing{BridgeName}
}

// RouterMAC is the router MAC of a switch whose network OS has none of its own: locally administered, and unique and stable as the
// loopback is. An operator who sees 02:50:0a:ff:00:0b knows that it is 10.255.0.11.
func RouterMAC(loopback netip.Addr) MAC {
	if loopback.Is4() {
		a := loopback.As4()
		return MAC{0x02, 0x50, a[0], a[1], a[2], a[3]}
	}
	h := fnv.New32a()
	h.Write(loopback.AsSlice())
	s := h.Sum(nil)
	return MAC{0x02, 0x56, s[0], s[1], s[2], s[3]}
}

// desireBridge wants the bridge on every switch that machines or the outside hang off. SVIs and VNIs are known by now.
func (b *build) desireBridge() {
	if !b.routesTenants() {
		return
	}
	b.kernel.Bridge = &Bridge{
		MAC: b.mac, MTU: b.config.LinkMTU() - tunnelOverhead, Up: true, VLANFiltering: true,
		VLANs: slices.Sorted(maps.Keys(b.kernel.SVIs)),
	}
}

func (d *difference) bridge() {
	want, have := d.want.Bridge, d.have.Bridge
	if want == nil {
		return
	}
	if have == nil {
		have = &Bridge{}
		d.add(AddBridge{Bridge: *want})
	} else {
		d.bridgeDrift(*have, *want)
	}
	for _, vlan := range want.VLANs {
		if !slices.Contains(have.VLANs, vlan) {
			d.add(AddMember{BridgeName, Member{VLAN: vlan}, d.portsIn(d.want.SVIs[vlan].VRF)})
		}
	}
}

func (d *difference) bridgeDrift(have, want Bridge) {
	if have.VLANFiltering != want.VLANFiltering || have.DefaultPVID != want.DefaultPVID {
		d.add(SetVLANFiltering{})
	}
	if have.MAC != want.MAC {
		d.add(SetMAC{Device: BridgeName, MAC: want.MAC})
	}
	if have.MTU != want.MTU {
		d.add(SetMTU{Device: BridgeName, MTU: want.MTU})
	}
	if !have.Up {
		d.add(SetUp{Device: BridgeName, Up: true})
	}
}

func (d *difference) staleBridgeVLANs() {
	if d.have.Bridge == nil || d.want.Bridge == nil {
		return
	}
	for _, vlan := range d.have.Bridge.VLANs {
		if !slices.Contains(d.want.Bridge.VLANs, vlan) {
			d.remove(DeleteMember{Device: BridgeName, VLAN: vlan})
		}
	}
}
