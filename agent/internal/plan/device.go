package plan

import (
	"fmt"
	"net/netip"
)

// For names the ports that a step serves, for Op.Ports.
type For []string

// Ports implements Op.
func (f For) Ports() []string { return f }

// SetMTU sets the MTU of a device, in bytes.
type SetMTU struct {
	Device string
	MTU    int
	For
}

func (o SetMTU) String() string { return fmt.Sprintf("set %s mtu %d", o.Device, o.MTU) }

// SetMAC sets the Ethernet address of a device.
type SetMAC struct {
	Device string
	MAC    MAC
	For
}

func (o SetMAC) String() string { return fmt.Sprintf("set %s mac %s", o.Device, o.MAC) }

// SetUp sets a device administratively up or down.
type SetUp struct {
	Device string
	Up     bool
	// Before is the device that a port goes down for, to enter it: where that could not be made, the port stays as it is.
	Before string
	For
}

func (o SetUp) String() string {
	if o.Up {
		return fmt.Sprintf("set %s up", o.Device)
	}
	return fmt.Sprintf("set %s down", o.Device)
}

func (o SetUp) links() (needs, marks []Thing) {
	needs, marks = []Thing{Thing(o.Device)}, []Thing{Thing(o.Device)}
	if o.Before != "" {
		needs = append(needs, Thing(o.Before))
	}
	return needs, marks
}

// SetMaster moves a device out of a VRF or bridge and into another; "" is none.
type SetMaster struct {
	Device   string
	From, To string
	For
}

func (o SetMaster) String() string {
	return fmt.Sprintf("move %s from %s to %s", o.Device, orDefault(o.From), orDefault(o.To))
}

func orDefault(master string) string {
	if master == "" {
		return "no vrf"
	}
	return master
}

func (o SetMaster) links() (needs, marks []Thing) {
	needs, marks = []Thing{Thing(o.Device)}, []Thing{Thing(o.Device)}
	if o.To != "" {
		needs = append(needs, Thing(o.To))
	}
	if o.From != "" {
		marks = append(marks, left(o.From))
	}
	return needs, marks
}

// AddMember makes a bridge port, or the bridge itself, a member of a VLAN.
type AddMember struct {
	Device string
	Member Member
	For
}

func (o AddMember) String() string {
	s := fmt.Sprintf("add %s to vlan %d", o.Device, o.Member.VLAN)
	if o.Member.PVID {
		s += " pvid"
	}
	if o.Member.Untagged {
		s += " untagged"
	}
	return s
}

func (o AddMember) links() (needs, marks []Thing) {
	return []Thing{Thing(o.Device)}, []Thing{Thing(o.Device)}
}

// DeleteMember ends a membership in a VLAN.
type DeleteMember struct {
	Device string
	VLAN   uint16
	For
}

func (o DeleteMember) String() string { return fmt.Sprintf("delete %s from vlan %d", o.Device, o.VLAN) }

func (o DeleteMember) links() (needs, marks []Thing) {
	return []Thing{Thing(o.Device)}, []Thing{Thing(o.Device)}
}

// BridgePortFlag is a property of a bridge port.
type BridgePortFlag string

// Flags of bridge ports, as bridge(8) names them.
const (
	Isolated      BridgePortFlag = "isolated"
	PortLearning  BridgePortFlag = "learning"
	NeighSuppress BridgePortFlag = "neigh_suppress"
)

// SetBridgePort sets a property of a bridge port.
type SetBridgePort struct {
	Device string
	Flag   BridgePortFlag
	On     bool
	For
}

func (o SetBridgePort) String() string {
	return fmt.Sprintf("set %s %s %s", o.Device, o.Flag, onOff(o.On))
}

func (o SetBridgePort) links() (needs, marks []Thing) {
	return []Thing{Thing(o.Device)}, []Thing{Thing(o.Device)}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// SetLinkLocal tells whether the kernel generates an IPv6 link-local address for a device.
type SetLinkLocal struct {
	Device string
	On     bool
	For
}

func (o SetLinkLocal) String() string {
	return fmt.Sprintf("set %s link-local address %s", o.Device, onOff(o.On))
}

// AddAddress adds an address to a device.
type AddAddress struct {
	Device string
	Prefix netip.Prefix
	For
}

func (o AddAddress) String() string { return fmt.Sprintf("add address %s to %s", o.Prefix, o.Device) }

// DeleteAddress takes an address from a device.
type DeleteAddress struct {
	Device string
	Prefix netip.Prefix
	For
}

func (o DeleteAddress) String() string {
	return fmt.Sprintf("delete address %s from %s", o.Prefix, o.Device)
}
