package plan

import (
	"fmt"
	"net/netip"

	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// State is what a switch is, or what it must be. Observed and desired are the same type, so that their difference is the work.
type State struct {
	Kernel Kernel
	FRR    frr.Config
	// FRRSaved is the configuration file that FRR starts with; never desired, as it follows FRR and keeps what is not ours.
	FRRSaved frr.Config
	// Saved is what the network OS itself starts with, where it keeps that apart from the kernel; else nil. Never desired either.
	Saved Saved
	// SVIsLast is desired with an FRR that takes an SVI without a VNI for that of another's: VNIs then come before SVIs and go after them.
	SVIsLast bool
	// Unknown names the parts that could not be read. Diff leaves them alone: unknown is not empty.
	Unknown []Part
}

// Part is a part of the state that is read, and may fail to be read, by itself.
type Part string

// Parts of a State.
const (
	PartLinks     Part = "links" // devices and bridge VLANs; without them nothing of the kernel can be judged
	PartAddresses Part = "addresses"
	PartRoutes    Part = "routes"
	PartRules     Part = "rules"
	PartSysctls   Part = "sysctls"
	// PartProtection is our table of nftables.
	PartProtection Part = "nftables"
	PartFRR        Part = "frr"
	PartFRRSaved   Part = "frr configuration file"
	// PartSaved is what the network OS starts with.
	PartSaved Part = "network configuration"
)

// Knows reports whether a part was read.
func (s State) Knows(p Part) bool {
	for _, u := range s.Unknown {
		if u == p {
			return false
		}
	}
	return true
}

// Kernel is the forwarding side of a switch. Of VRFs, SVIs and VNIs it holds only those that are named as ours are; of ports, every
// one that looks like a front-panel port.
type Kernel struct {
	LoopbackUp bool
	// Loopback holds the host addresses on lo; ours are marked.
	Loopback map[netip.Prefix]Ownership
	// Bridge is nil where there is none; a spine needs none.
	Bridge *Bridge
	Ports  map[string]Port
	VRFs   map[string]VRF
	SVIs   map[uint16]SVI
	VNIs   map[netmodel.VNI]VXLAN
	Rules  Rules
	// Unreachable holds the unreachable default routes that end our VRFs' tables; without one, a lookup goes on in main.
	Unreachable map[DefaultRoute]bool
	// Sysctls by path below /proc/sys: "net/ipv4/conf/swp1/rp_filter".
	Sysctls map[string]string
	// Protection holds the chains of our table of nftables, by name; nil where there is no such table.
	Protection map[string]Chain
}

// Ownership tells whether something in the world carries our mark. What does not is never deleted.
type Ownership bool

// Owners.
const (
	Ours    Ownership = true
	Foreign Ownership = false
)

// Names of the devices that exist once.
const (
	BridgeName   = "bridge"
	LoopbackName = "lo"
	// ProvisionVRF holds the provisioning VLAN of a leaf, and leaks into nothing.
	ProvisionVRF = "provision"
)

// SVIName is the device of a VLAN's routed interface.
func SVIName(vlan uint16) string { return fmt.Sprintf("Vlan%d", vlan) }

// VNIName is the VXLAN device of a VNI.
func VNIName(vni netmodel.VNI) string { return fmt.Sprintf("vni%d", vni) }

// MAC is an Ethernet address. The zero value means none.
type MAC [6]byte

// String is the address as ip(8) prints it.
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// Member is a bridge port's membership in a VLAN.
type Member struct {
	VLAN     uint16
	PVID     bool // untagged frames that come in belong to it
	Untagged bool // its frames go out untagged
}

// access is the membership of a port that knows one VLAN, untagged.
func access(vlan uint16) []Member { return []Member{{VLAN: vlan, PVID: true, Untagged: true}} }

// Bridge is the one VLAN-aware bridge.
type Bridge struct {
	// MAC is the router MAC of every tenant, so it is set at creation and never follows the ports.
	MAC           MAC
	MTU           int
	Up            bool
	VLANFiltering bool
	// DefaultPVID is 0: a port belongs to no VLAN until it is told.
	DefaultPVID uint16
	// VLANs of the bridge itself, those with an SVI, sorted.
	VLANs []uint16
}

// Port is a front-panel port.
type Port struct {
	Up     bool // as the administrator wants it
	OperUp bool // as it is; never desired
	MTU    int
	// Master is the VRF or bridge that the port is in, or "".
	Master string
	// VLANs, Isolated: as a bridge port.
	VLANs    []Member
	Isolated bool
}

// VRF is a routing table of its own.
type VRF struct {
	Table uint32
	Up    bool
}

// UnreachableMetric is above every metric that FRR uses, and the value that ifupdown2 and others use for the same purpose.
const UnreachableMetric = 4278198272

// DefaultRoute is the unreachable default of a table.
type DefaultRoute struct {
	Table  uint32
	Family Family
}

// Family is an address family.
type Family string

// Address families.
const (
	IPv4 Family = "IPv4"
	IPv6 Family = "IPv6"
)

// SVI is the routed interface of a VLAN on the bridge.
type SVI struct {
	// Broken means that the device of this name is not the VLAN that its name says.
	Broken bool
	VRF    string
	MAC    MAC
	MTU    int
	Up     bool
	// Addresses are those of global scope, sorted.
	Addresses []netip.Prefix
	// LinkLocal tells whether the kernel gives it a link-local address; tenants' SVIs only carry routed VXLAN traffic.
	LinkLocal bool
}

// VXLAN is the tunnel device of a VNI: FRR tells it where everybody is, so nothing is learned.
type VXLAN struct {
	// Broken means that the device of this name has not the VNI that its name says.
	Broken        bool
	Local         netip.Addr
	MTU           int
	Up            bool
	Learning      bool // of the device
	PortLearning  bool // of the bridge port
	NeighSuppress bool
	LinkLocal     bool
	Master        string
	VLANs         []Member
}

// Rules are the policy rules of both address families.
type Rules struct{ IPv4, IPv6 FamilyRules }

// Of returns the rules of a family.
func (r Rules) Of(f Family) FamilyRules {
	if f == IPv6 {
		return r.IPv6
	}
	return r.IPv4
}

// FamilyRules tells which of the rules that matter to VRFs are there. The local table must be asked after the VRFs': in front of
// them, a packet in a tenant's VRF is delivered to any address of the switch.
type FamilyRules struct {
	L3mdev     bool // at preference 1000
	LocalFirst bool // at preference 0, where the kernel puts it
	LocalLast  bool // at preference 32765
}
