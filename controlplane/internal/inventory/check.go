package inventory

import (
	"net/netip"
	"slices"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// check refuses what no state of the system can make right.
func check(sw netmodel.Switch) error {
	if err := checkPorts(sw.Role, sw.Ports); err != nil {
		return err
	}
	switch {
	case sw.ID == "":
		return store.Refuse(store.Invalid, "a switch needs an id: the name that its agent has")
	case !sw.Loopback.Is4() || !sw.Loopback.IsGlobalUnicast():
		return store.Refuse(store.Invalid, "loopback %s is no IPv4 address of a switch", sw.Loopback)
	case sw.ASN != 0 && (sw.ASN < netmodel.FirstSwitchASN || sw.ASN > netmodel.LastSwitchASN):
		return store.Refuse(store.Invalid, "ASN %d is not one of switches, which are %d to %d", sw.ASN, netmodel.FirstSwitchASN, netmodel.LastSwitchASN)
	case sw.Role == netmodel.RoleLeaf && sw.Rack == "":
		return store.Refuse(store.Invalid, "a leaf needs its rack: machines are cabled to two leaves of one")
	case sw.Role == netmodel.RoleLeaf && (sw.Provisioning.VLAN < 2 || sw.Provisioning.VLAN > 4094):
		return store.Refuse(store.Invalid, "a leaf needs a provisioning VLAN from 2 to 4094")
	}
	if sw.Role == netmodel.RoleBorder && sw.Provisioning.VLAN == 0 && len(machinePorts(sw)) > 0 {
		return store.Refuse(store.Invalid, "port %s: a border with machine ports needs a provisioning VLAN from 2 to 4094, as a leaf does", machinePorts(sw)[0])
	}
	for _, p := range sw.Provisioning.Addresses {
		if !p.IsValid() {
			return store.Refuse(store.Invalid, "provisioning address %s is none", p)
		}
	}
	return checkMTU(sw.MTU)
}

// minMTU is what IPv6 asks of a link (RFC 8200, section 5), with room for VXLAN.
const minMTU = 1280 + netmodel.VXLANOverhead

func checkMTU(mtu int) error {
	if mtu != 0 && (mtu < minMTU || mtu > netmodel.DefaultMTU) {
		return store.Refuse(store.Invalid, "MTU %d is not from %d to %d; 0 means %d", mtu, minMTU, netmodel.DefaultMTU, netmodel.DefaultMTU)
	}
	return nil
}

func checkPorts(role netmodel.SwitchRole, ports []netmodel.SwitchPort) error {
	seen := map[string]bool{}
	for _, p := range ports {
		switch {
		case p.Name == "" || len(p.Name) > 15:
			return store.Refuse(store.Invalid, "port %q: the name of an interface has 1 to 15 characters", p.Name)
		case seen[p.Name]:
			return store.Refuse(store.Invalid, "port %s is named twice", p.Name)
		case p.Role != netmodel.PortUplink && p.Role != netmodel.PortMachine && p.Role != netmodel.PortExternal:
			return store.Refuse(store.Invalid, "port %s: say whether it is an uplink, for a machine, or external", p.Name)
		case p.Role == netmodel.PortMachine && role == netmodel.RoleSpine:
			return store.Refuse(store.Invalid, "port %s: a spine has no machine ports", p.Name)
		}
		if err := checkExternal(role, p); err != nil {
			return err
		}
		seen[p.Name] = true
	}
	return nil
}

// checkExternal refuses an external port without its peer, and a peer where there is no outside.
func checkExternal(role netmodel.SwitchRole, p netmodel.SwitchPort) error {
	peer := p.External
	switch {
	case p.Role != netmodel.PortExternal && peer != (netmodel.ExternalPeer{}):
		return store.Refuse(store.Invalid, "port %s: external is given, but its role is %s; leave it out, or give the port role external", p.Name, p.Role)
	case p.Role != netmodel.PortExternal:
		return nil
	case role != netmodel.RoleBorder:
		return store.Refuse(store.Invalid, "port %s: only a border has external ports; register the switch with role border", p.Name)
	case peer.Network == "":
		return store.Refuse(store.Invalid, "port %s: external.network: name the external network that is given the routes of this port", p.Name)
	case peer.ASN == 0:
		return store.Refuse(store.Invalid, "port %s: external.asn: give the ASN of the router at the other end", p.Name)
	case peer.ASN >= netmodel.FirstSwitchASN && peer.ASN <= netmodel.LastMachineASN:
		return store.Refuse(store.Invalid, "port %s: external.asn: %d is one of the fabric's own, %d to %d; the router outside has another", p.Name, peer.ASN, netmodel.FirstSwitchASN, netmodel.LastMachineASN)
	}
	return nil
}

// collide refuses what another switch has.
func collide(d *store.Data, sw netmodel.Switch) error {
	if _, ok := d.Switches[sw.ID]; ok {
		return store.Refuse(store.Exists, "switch %q exists already", sw.ID)
	}
	for _, o := range d.Switches {
		other := o.Value
		if other.Loopback == sw.Loopback {
			return store.Refuse(store.Precondition, "loopback %s is that of switch %q", sw.Loopback, other.ID)
		}
		for _, p := range sw.Provisioning.Addresses {
			if slices.ContainsFunc(other.Provisioning.Addresses, func(q netip.Prefix) bool { return p.Masked().Overlaps(q.Masked()) }) {
				return store.Refuse(store.Precondition, "provisioning network %s overlaps that of switch %q; each leaf has its own", p.Masked(), other.ID)
			}
		}
	}
	return nil
}

// asn checks a given ASN, or chooses one: a leaf's is its own, all spines share one, so that no path goes down and up again.
func asn(d *store.Data, sw netmodel.Switch) (netmodel.ASN, error) {
	taken := map[netmodel.ASN]netmodel.Switch{}
	for _, o := range d.Switches {
		other := o.Value
		if sw.Role == netmodel.RoleSpine && other.Role == netmodel.RoleSpine {
			if sw.ASN != 0 && sw.ASN != other.ASN {
				return 0, store.Refuse(store.Precondition, "all spines share one ASN, which is %d on %q", other.ASN, other.ID)
			}
			return other.ASN, nil
		}
		taken[other.ASN] = other
	}
	if sw.ASN != 0 {
		if other, ok := taken[sw.ASN]; ok {
			return 0, store.Refuse(store.Precondition, "ASN %d is that of switch %q", sw.ASN, other.ID)
		}
		return sw.ASN, nil
	}
	for n := netmodel.FirstSwitchASN; n <= netmodel.LastSwitchASN; n++ {
		if _, ok := taken[n]; !ok {
			return n, nil
		}
	}
	return 0, store.Refuse(store.Exhausted, "all ASNs of switches, %d to %d, are taken", netmodel.FirstSwitchASN, netmodel.LastSwitchASN)
}
