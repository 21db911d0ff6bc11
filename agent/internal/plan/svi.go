package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// AddSVI creates the routed interface of a VLAN, complete.
type AddSVI struct {
	VLAN uint16
	SVI  SVI
	For
}

func (o AddSVI) String() string { return fmt.Sprintf("add svi %s in %s", SVIName(o.VLAN), o.SVI.VRF) }

func (o AddSVI) links() (needs, marks []Thing) {
	return []Thing{BridgeName, Thing(o.SVI.VRF)}, []Thing{Thing(SVIName(o.VLAN))}
}

// DeleteSVI deletes the routed interface of a VLAN.
type DeleteSVI struct {
	VLAN uint16
	For
}

func (o DeleteSVI) String() string { return "delete svi " + SVIName(o.VLAN) }

func (o DeleteSVI) links() (needs, marks []Thing) {
	return nil, []Thing{Thing(SVIName(o.VLAN))}
}

// desireSVIs gives the provisioning VLAN its gateway, and each tenant's VNI the interface through which FRR routes into the tunnel.
func (b *build) desireSVIs() {
	mtu := b.config.LinkMTU() - tunnelOverhead
	if b.provisioning() {
		addresses := slices.Clone(b.config.Provisioning.Addresses)
		slices.SortFunc(addresses, netip.Prefix.Compare)
		b.kernel.SVIs[b.config.Provisioning.VLAN] = SVI{
			VRF: ProvisionVRF, MAC: b.mac, MTU: mtu, Up: true, Addresses: slices.Compact(addresses), LinkLocal: true,
		}
	}
	for name, t := range b.tenants {
		b.kernel.SVIs[b.assigned.VLANs[t.vni]] = SVI{VRF: name, MAC: b.mac, MTU: mtu, Up: true}
	}
}

// tunnelVLANs are the VLANs that have a VNI.
func (d *difference) tunnelVLANs() map[uint16]bool {
	vlans := map[uint16]bool{}
	for _, v := range d.want.VNIs {
		vlans[v.vlan()] = true
	}
	return vlans
}

func (d *difference) svis(of func(vlan uint16) bool) {
	for _, vlan := range slices.Sorted(maps.Keys(d.want.SVIs)) {
		if !of(vlan) {
			continue
		}
		want := d.want.SVIs[vlan]
		ports := d.portsIn(want.VRF)
		have, ok := d.have.SVIs[vlan]
		switch {
		case !ok:
			d.add(AddSVI{vlan, want, ports})
		case have.Broken:
			d.add(DeleteSVI{vlan, ports}, AddSVI{vlan, want, ports})
		default:
			d.svi(SVIName(vlan), have, want, ports)
		}
	}
}

func (d *difference) svi(name string, have, want SVI, ports For) {
	if have.MAC != want.MAC {
		d.add(SetMAC{name, want.MAC, ports})
	}
	if have.MTU != want.MTU {
		d.add(SetMTU{name, want.MTU, ports})
	}
	if have.LinkLocal != want.LinkLocal {
		d.add(SetLinkLocal{name, want.LinkLocal, ports})
	}
	if have.VRF != want.VRF {
		d.add(SetMaster{name, have.VRF, want.VRF, ports})
	}
	if d.knows(PartAddresses) {
		d.addresses(name, have.Addresses, want.Addresses, ports)
	}
	if !have.Up {
		d.add(SetUp{Device: name, Up: true, For: ports})
	}
}

func (d *difference) addresses(device string, have, want []netip.Prefix, ports For) {
	for _, p := range want {
		if !slices.Contains(have, p) {
			d.add(AddAddress{device, p, ports})
		}
	}
	for _, p := range have {
		if !slices.Contains(want, p) {
			d.add(DeleteAddress{device, p, ports})
		}
	}
}

func (d *difference) staleSVIs() {
	for _, vlan := range slices.Sorted(maps.Keys(d.have.SVIs)) {
		if _, wanted := d.want.SVIs[vlan]; !wanted {
			d.remove(DeleteSVI{VLAN: vlan})
		}
	}
}
