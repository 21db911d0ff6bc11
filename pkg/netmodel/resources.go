package netmodel

import (
	"net/netip"
	"time"
)

// NetworkKind tells who shares a network and what it is for.
type NetworkKind string

// Kinds of networks.
const (
	NetworkPrivate  NetworkKind = "private"
	NetworkShared   NetworkKind = "shared"
	NetworkExternal NetworkKind = "external"
	NetworkUnderlay NetworkKind = "underlay"
	NetworkPool     NetworkKind = "pool"
)

// CarvedPrefix is a part of a pool that a network holds.
type CarvedPrefix struct {
	Prefix  netip.Prefix
	Project string
	Network string
}

// Network is a VRF with its prefixes, or a pool of prefixes.
type Network struct {
	ID                string
	Project           string
	Kind              NetworkKind
	Description       string
	Prefixes          []netip.Prefix
	Announceable      []Grant
	Destinations      []netip.Prefix // of an external network: accepted from outside, and what is inside
	Pool              string
	VNI               VNI
	VRF               string
	DefaultIPv4Length int
	DefaultIPv6Length int
	Carved            []CarvedPrefix
	Labels            map[string]string
	CreateTime        time.Time
}

// IPKind tells what becomes of an address when its machine is released.
type IPKind string

// IPState tells whether an address is in use or resting.
type IPState string

// Kinds and states of addresses.
const (
	IPEphemeral   IPKind  = "ephemeral"
	IPStatic      IPKind  = "static"
	IPHeld        IPState = "held"
	IPQuarantined IPState = "quarantined"
)

// IP is a held address.
type IP struct {
	Network     string
	Address     netip.Addr
	Project     string
	Kind        IPKind
	State       IPState
	Allocation  string
	Description string
	CreateTime  time.Time
}

// PendingRelease is a port that has to prove a generation before its machine is free.
type PendingRelease struct {
	Switch     string
	Port       string
	Generation uint64
}

// Machine is a stored machine: identities and who holds it. Cabling, health and state are computed from discovery.
type Machine struct {
	ID             string
	Rack           string
	SystemUUID     string
	ChassisMAC     string
	PortMACs       []string
	Description    string
	Project        string
	Allocation     string
	PendingRelease []PendingRelease
	Labels         map[string]string
	CreateTime     time.Time
}

// Switch is a registered switch.
type Switch struct {
	ID           string
	Role         SwitchRole
	Rack         string
	Loopback     netip.Addr
	ASN          ASN
	Ports        []SwitchPort
	Provisioning Provisioning
	MTU          int
	Description  string
	CreateTime   time.Time
}

// Attachment is a network that an allocation is in, with its addresses there.
type Attachment struct {
	Network          string
	Addresses        []netip.Addr
	ServiceAddresses []netip.Addr
}

// AllocationPort is a leaf port that an allocation holds. Generation is that of the port intent that carries it.
type AllocationPort struct {
	Switch      string
	Port        string
	MachinePort string
	MAC         string
	Generation  uint64
}

// Allocation is a machine in a project's network.
type Allocation struct {
	ID          string
	Project     string
	Machine     string
	Rack        string
	Attachments []Attachment
	Hostname    string
	Description string
	ASN         ASN
	Ports       []AllocationPort
	Generation  uint64
	CreateTime  time.Time
}

// Phase of an allocation.
type Phase string

// Phases, in order.
const (
	PhaseAllocated  Phase = "allocated"
	PhaseConfigured Phase = "configured"
	PhaseConnected  Phase = "connected"
	PhaseReachable  Phase = "reachable"
)

// Phases in the order in which they are reached.
var Phases = []Phase{PhaseAllocated, PhaseConfigured, PhaseConnected, PhaseReachable}

// AgentTime is when a switch, by its own clock, produced the evidence of a phase.
type AgentTime struct {
	Switch string
	Time   time.Time
}

// PhaseStamp is when a phase was reached, by the clock of the control plane that first saw the evidence.
type PhaseStamp struct {
	Phase  Phase
	Time   time.Time
	Agents []AgentTime
}

// Receipt proves how far an allocation's generation has come.
type Receipt struct {
	Allocation      string
	Project         string
	Generation      uint64
	Machine         string
	Stamps          []PhaseStamp
	Degraded        bool
	MissingSwitches []string
}
