package lab

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
)

// Inventory is what the topology says about the fabric's equipment, as values to register with a control plane. It is a pure
// function of the topology: the same file, the same names, addresses and MACs.
type Inventory struct {
	Switches []Switch
	Machines []Machine
	Outside  []Outside
}

// Roles of switches and of their ports.
const (
	RoleLeaf     = "leaf"
	RoleSpine    = "spine"
	RoleBorder   = "border"
	RoleUplink   = "uplink"   // between switches
	RoleMachine  = "machine"  // towards a machine
	RoleExternal = "external" // towards the outside
)

// Switch is one leaf, spine or border.
type Switch struct {
	Name       string
	Role       string
	Rack       string // of leaves only
	OS         OS
	ASN        uint32
	Loopback   netip.Addr
	Management netip.Addr // of eth0, in VRF mgmt
	Ports      []Port
}

// Port is one front-panel port of a switch.
type Port struct {
	Name   string
	Number int // on the front, from 1
	Role   string
	MAC    net.HardwareAddr
	Peer   Endpoint // what is cabled to it; zero for a spare port
}

// Endpoint is one end of a cable.
type Endpoint struct{ Node, Port string }

func (e Endpoint) String() string { return e.Node + ":" + e.Port }

// Machine is one bare-metal machine.
type Machine struct {
	Name       string
	Rack       string
	SystemUUID string
	Kind       MachineKind // as the topology has it: empty is ours
	Uplinks    []Uplink
}

// Uplink is one network interface of a machine and the leaf port it is cabled to.
type Uplink struct {
	Name string
	MAC  net.HardwareAddr
	Peer Endpoint
}

const (
	firstUplink  = 49 // leaves number their uplinks from 49, as 48-port switches do, or behind their machine ports
	spineASN     = 4200000000
	firstLeafASN = 4200000001
)

// Inventory derives the fabric's equipment.
func (t *Topology) Inventory() Inventory {
	var inv Inventory
	for s := range t.Spines {
		inv.Switches = append(inv.Switches, Switch{
			Name: spineName(s), Role: RoleSpine, OS: Linux, ASN: spineASN,
			Loopback: netip.AddrFrom4([4]byte{10, 255, 0, byte(s + 1)}), Management: managementAddress(s),
		})
	}
	leaf, machine := 0, 0
	for r, rack := range t.Racks {
		name := fmt.Sprintf("rack%02d", r+1)
		first := leaf
		for l := range rack.Leaves {
			inv.add(t.leaf(leaf, machine, rack, name, rack.OS.of(l)), leaf)
			leaf++
		}
		for m := range rack.Machines {
			inv.Machines = append(inv.Machines, newMachine(machine, m, first, rack, name))
			inv.Machines[machine].Kind = t.Machines[machineName(machine)]
			machine++
		}
	}
	t.addBorder(&inv, leaf)
	return inv
}

// add adds a leaf, the n-th, and cables the spines to its uplinks.
func (inv *Inventory) add(s Switch, n int) {
	for _, uplink := range s.Ports {
		for i := range inv.Switches {
			if spine := &inv.Switches[i]; uplink.Role == RoleUplink && spine.Name == uplink.Peer.Node {
				spine.Ports = append(spine.Ports, Port{
					Name: uplink.Peer.Port, Number: n + 1, Role: RoleUplink, MAC: portMAC(kindSpine, i, n+1), Peer: Endpoint{s.Name, uplink.Name},
				})
			}
		}
	}
	inv.Switches = append(inv.Switches, s)
}

func (t *Topology) leaf(n, firstMachine int, rack Rack, rackName string, os OS) Switch {
	s := Switch{
		Name: leafName(n), Role: RoleLeaf, Rack: rackName, OS: os, ASN: firstLeafASN + uint32(n),
		Loopback: netip.AddrFrom4([4]byte{10, 255, 1, byte(n + 1)}), Management: managementAddress(t.Spines + n),
	}
	first := t.firstLeaf(rackName)
	for p := range rack.Machines + rack.SparePorts {
		port := Port{Name: os.portName(p + 1), Number: p + 1, Role: RoleMachine, MAC: portMAC(kindLeaf, n, p+1)}
		if p < rack.Machines {
			port.Peer = Endpoint{machineName(firstMachine + p), lan(n - first)}
		}
		s.Ports = append(s.Ports, port)
	}
	s.Ports = append(s.Ports, t.uplinks(n, rack, os)...)
	return s
}

// uplinks are those of the n-th leaf.
func (t *Topology) uplinks(n int, rack Rack, os OS) []Port {
	var ports []Port
	for spine := range t.Spines {
		number := uplinkNumber(rack, spine)
		ports = append(ports, Port{
			Name: os.portName(number), Number: number, Role: RoleUplink, MAC: portMAC(kindLeaf, n, number),
			Peer: Endpoint{spineName(spine), swp(n + 1)},
		})
	}
	return ports
}

// firstLeaf returns the number of a rack's first leaf.
func (t *Topology) firstLeaf(rackName string) int {
	n := 0
	for r, rack := range t.Racks {
		if fmt.Sprintf("rack%02d", r+1) == rackName {
			return n
		}
		n += rack.Leaves
	}
	return n
}

func newMachine(n, slot, firstLeaf int, rack Rack, rackName string) Machine {
	m := Machine{Name: machineName(n), Rack: rackName, SystemUUID: systemUUID(machineName(n))}
	for l := range rack.Leaves {
		m.Uplinks = append(m.Uplinks, Uplink{Name: lan(l), MAC: portMAC(kindMachine, n, l+1), Peer: Endpoint{leafName(firstLeaf + l), rack.OS.of(l).portName(slot + 1)}})
	}
	return m
}

// NodeNames returns the names of all nodes: spines, leaves, borders, machines, the outside.
func (t *Topology) NodeNames() []string {
	var names []string
	inv := t.Inventory()
	for _, s := range inv.Switches {
		names = append(names, s.Name)
	}
	for _, m := range inv.Machines {
		names = append(names, m.Name)
	}
	for _, o := range inv.Outside {
		names = append(names, o.Name)
	}
	return names
}

func spineName(n int) string   { return fmt.Sprintf("spine%02d", n+1) }
func leafName(n int) string    { return fmt.Sprintf("leaf%02d", n+1) }
func machineName(n int) string { return fmt.Sprintf("machine%02d", n+1) }
func swp(number int) string    { return fmt.Sprintf("swp%d", number) }
func lan(number int) string    { return fmt.Sprintf("lan%d", number) }

func uplinkNumber(rack Rack, spine int) int {
	return max(firstUplink, rack.Machines+rack.SparePorts+1) + spine
}

func managementAddress(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{192, 0, 2, byte(firstManagement + n)})
}

const (
	kindSpine = iota + 1
	kindLeaf
	kindMachine
	kindOutside
)

// portMAC is locally administered and says where it belongs: 02, kind, node, port. Port 0 is eth0.
func portMAC(kind, node, port int) net.HardwareAddr {
	return net.HardwareAddr{0x02, byte(kind), byte((node + 1) >> 8), byte(node + 1), byte(port >> 8), byte(port)}
}

// systemUUID is stable for a name (RFC 9562, version 5, in the namespace of domain names).
func systemUUID(name string) string {
	space := [16]byte{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	sum := sha1.Sum(append(space[:], name+".lab.pointsman.example"...))
	u := sum[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	h := hex.EncodeToString(u)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
