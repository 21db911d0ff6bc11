package frrtemplates

import (
	"net/netip"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Input is everything that a switch's FRR configuration depends on.
type Input struct {
	Hostname string
	Role     netmodel.SwitchRole
	ASN      uint32
	// RouterID is the address of the loopback: what the underlay announces, and where VXLAN tunnels end. IPv4.
	RouterID netip.Addr
	// Uplinks are the ports to other switches.
	Uplinks []string
	// MachinePorts are all ports that machines may be cabled to, in whatever mode: each gets its interface lines once, so that a
	// move of a port touches bgpd only.
	MachinePorts []string
	// ExternalPorts are the same of ports that the outside may be cabled to.
	ExternalPorts []string
	VRFs          []VRF
	// BFDInterval is how often BFD packets are sent and expected, in milliseconds; three lost ones end a session. 0 means
	// DefaultBFDInterval.
	BFDInterval int
	// StrictBFD is an FRR that holds sessions back while BFD is down. Machines and the outside need not speak BFD, so that none is
	// configured with them there.
	StrictBFD bool
}

// DefaultBFDInterval is in milliseconds.
const DefaultBFDInterval = 300

// VRF is a tenant's routing instance.
type VRF struct {
	Name       string
	VNI        netmodel.VNI
	Neighbours []Neighbour
	Outside    []Outside
}

// Outside is the router outside on an external port. IPv4 and IPv6 alike, routes inside Exports are never accepted, then Imports are,
// and all else is dropped. Exports are announced exactly, each as long as there is a route inside.
type Outside struct {
	Port string
	ASN  netmodel.ASN
	// Imports are the prefixes that are accepted: a default route is 0.0.0.0/0 or ::/0 exactly.
	Imports []netmodel.Grant
	Exports []netip.Prefix
	// MaximumPrefix is how many accepted routes of each address family close the session when exceeded, 1..4294967295.
	MaximumPrefix int
}

// Neighbour is the machine on a port, and what it may announce there.
type Neighbour struct {
	Port string
	ASN  netmodel.ASN
	// Grants are the prefixes that are accepted; anything else is dropped.
	Grants []netmodel.Grant
	// MaximumPrefix is how many accepted routes of each address family close the session when exceeded, 1..4294967295.
	MaximumPrefix int
}
