// Package netmodel holds the values that Pointsman reasons about: switches, ports, VRFs, networks, allocations. Values only:
// no IO, no clock, no protobuf (pkg/wire converts). Both the agent's planner and the control plane's compiler work on them.
package netmodel

import (
	"fmt"
	"net/netip"
	"time"
)

// ASN is a 4-byte autonomous system number (RFC 6793).
type ASN uint32

// Private 4-byte ASNs (RFC 6996) as Pointsman divides them.
const (
	FirstSwitchASN  ASN = 4200000000
	LastSwitchASN   ASN = 4200999999
	FirstMachineASN ASN = 4201000000
	LastMachineASN  ASN = 4294967294
)

// VNI is a VXLAN network identifier, 24 bits (RFC 7348).
type VNI uint32

// VNIs that the control plane hands out.
const (
	FirstVNI VNI = 100000
	LastVNI  VNI = 16777215
)

// VRFName returns the name of the VRF of a VNI. It is valid on every network OS: SONiC wants the prefix Vrf, Linux at most 15
// characters.
func VRFName(vni VNI) string { return fmt.Sprintf("Vrf%d", vni) }

// RouteTargetASN is the administrator part of every route target: explicit, as automatic ones keep only 16 bits of the ASN.
const RouteTargetASN = 64512

// DefaultMTU is the MTU of uplinks and machine ports, in bytes. VXLAN takes VXLANOverhead of it.
const (
	DefaultMTU    = 9216
	VXLANOverhead = 50
)

// SwitchRole is the place of a switch in the fabric.
type SwitchRole string

// Roles of switches.
const (
	RoleLeaf   SwitchRole = "leaf"
	RoleSpine  SwitchRole = "spine"
	RoleBorder SwitchRole = "border"
)

// PortRole is what a port is cabled for.
type PortRole string

// Roles of ports.
const (
	PortUplink  PortRole = "uplink"
	PortMachine PortRole = "machine"
	// PortExternal is cabled to somebody else's router, on a border.
	PortExternal PortRole = "external"
)

// PortMode is where a machine port stands.
type PortMode string

// Modes of machine ports.
const (
	// ModeProvisioning is untagged in the leaf's own provisioning VLAN.
	ModeProvisioning PortMode = "provisioning"
	// ModeVRF is routed in a tenant's VRF.
	ModeVRF PortMode = "vrf"
	// ModeDisabled is down, in no VLAN and in no VRF.
	ModeDisabled PortMode = "disabled"
)

// SwitchPort names a port and its role. External is zero but on external ports.
type SwitchPort struct {
	Name     string
	Role     PortRole
	External ExternalPeer
}

// Provisioning is a leaf's own provisioning network. VLAN is 2..4094; Addresses are those of its SVI.
type Provisioning struct {
	VLAN      uint16
	Addresses []netip.Prefix
}

// SwitchConfig is what a switch must be, apart from its machine ports.
type SwitchConfig struct {
	StoreUUID    string
	Switch       string
	Role         SwitchRole
	Rack         string
	Loopback     netip.Addr
	ASN          ASN
	Ports        []SwitchPort
	Provisioning Provisioning
	MTU          int // bytes; 0 means DefaultMTU
	Generation   uint64
}

// LinkMTU is the MTU of uplinks and machine ports.
func (c SwitchConfig) LinkMTU() int {
	if c.MTU == 0 {
		return DefaultMTU
	}
	return c.MTU
}

// Grant is a prefix that a port may announce: routes inside Prefix with a length up to MaxLength; 0 means exactly Prefix.
type Grant struct {
	Prefix    netip.Prefix
	MaxLength int
}

// PortIntent is what one machine port must be.
type PortIntent struct {
	Switch     string
	Port       string
	Generation uint64
	Mode       PortMode
	VRF        string
	VNI        VNI
	Project    string
	Network    string
	Allocation string
	PeerASN    ASN
	Grants     []Grant
	External   *ExternalSession // of an external port only
}

// ProbeOrigin is a leaf that announces an allocation's addresses.
type ProbeOrigin struct {
	Switch   string
	Loopback netip.Addr
}

// Probe asks a switch to report whether it holds the routes of an allocation.
type Probe struct {
	Allocation string
	Project    string
	Generation uint64
	VRF        string
	VNI        VNI
	Prefixes   []netip.Prefix
	Origins    []ProbeOrigin
}

// Neighbour is what an LLDP neighbour claims of itself (IEEE 802.1AB).
type Neighbour struct {
	ChassisID         string
	ChassisIDSubtype  uint8
	PortID            string
	PortIDSubtype     uint8
	PortDescription   string
	SystemName        string
	SystemDescription string
	SourceMAC         string
	FirstSeen         time.Time
}

// Discovery is who was heard on a port, sorted by chassis ID and port ID.
type Discovery struct {
	Switch     string
	Port       string
	Neighbours []Neighbour
}

// PortStatus is what an agent made of a port's intent.
type PortStatus struct {
	Port               string
	AppliedGeneration  uint64
	Mode               PortMode
	VRF                string
	OperUp             bool
	Error              string
	RevertedGeneration uint64
	AppliedTime        time.Time
	ReceivedTime       time.Time
}

// SessionStatus is the BGP session on a port. It counts only at the port intent's present generation.
type SessionStatus struct {
	Port             string
	Generation       uint64
	VRF              string
	State            string
	Established      bool
	PeerASN          ASN
	PrefixesReceived uint32
	EstablishedTime  time.Time
	LastResetReason  string
}

// ProbeResult tells from which VTEPs a prefix is held.
type ProbeResult struct {
	Prefix  netip.Prefix
	Origins []netip.Addr
}

// ProbeStatus answers a Probe.
type ProbeStatus struct {
	Allocation string
	Generation uint64
	Results    []ProbeResult
	Satisfied  bool
	VRFPresent bool
	Time       time.Time
}

// AgentState is whether an agent follows its store.
type AgentState string

// States of agents.
const (
	AgentFollowing AgentState = "following"
	AgentHolding   AgentState = "holding"
)

// SwitchStatus is what an agent says of its switch as a whole.
type SwitchStatus struct {
	Switch           string
	State            AgentState
	Reason           string
	AgentVersion     string
	FRRVersion       string
	NetworkOS        string
	Kernel           string
	ConfigGeneration uint64
	Drift            []string
	LastError        string
	Ports            []string
	Capabilities     Capabilities
}

// Capabilities are what a switch can do, by its network OS and its hardware.
type Capabilities struct {
	// MaxVRFs is how many VRFs it takes, the provisioning one included; 0 if no bound is known.
	MaxVRFs int
	// FirstVLAN and LastVLAN are the VLAN ids that it takes, ends included.
	FirstVLAN, LastVLAN uint16
	// FirstReservedVLAN and LastReservedVLAN are those among them that the switch keeps for itself; 0 if none.
	FirstReservedVLAN, LastReservedVLAN uint16
	// VRFName is the form of a VRF's name, as a regular expression; MaxDeviceName is how many characters any device's name has at most.
	VRFName       string
	MaxDeviceName int
	// NeighbourSuppression tells whether neighbours beyond a tunnel are answered for.
	NeighbourSuppression bool
	// PortIsolation tells whether ports in provisioning are kept from each other.
	PortIsolation bool
}

// Alive is an agent's heartbeat.
type Alive struct {
	BootID string
	Since  time.Time
}
