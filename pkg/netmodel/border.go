package netmodel

import "net/netip"

// ExternalPeer is the router outside that an external port is cabled to, and the external network that is given its routes.
type ExternalPeer struct {
	Project, Network string
	ASN              ASN
	MaximumPrefix    int // 0 means DefaultMaximumPrefix
}

// DefaultMaximumPrefix is how many accepted routes of one address family close a session to the outside when exceeded: a default
// route and some destinations are far fewer, a full table is far more.
const DefaultMaximumPrefix = 1000

// Limit is how many accepted routes of one address family close the session.
func (p ExternalPeer) Limit() int {
	if p.MaximumPrefix == 0 {
		return DefaultMaximumPrefix
	}
	return p.MaximumPrefix
}

// VRFIntent is a VRF that a border has though no machine port asks for it, with its sessions to the outside, sorted by port.
type VRFIntent struct {
	Switch     string
	VRF        string
	Generation uint64
	VNI        VNI
	Project    string
	Network    string
	Peers      []VRFPeer
	// Imports are accepted from outside, but for routes inside Exports, which are announced there exactly.
	Imports []Grant
	Exports []netip.Prefix
}

// VRFPeer is a session to the outside.
type VRFPeer struct {
	Port          string
	ASN           ASN
	MaximumPrefix int
}

// ExternalSession is what a session to the outside has besides what one to a machine has.
type ExternalSession struct {
	Exports       []netip.Prefix
	MaximumPrefix int
}

// Ports is the intent taken apart: what each external port must be. The VRF's generation is that of each.
func (v VRFIntent) Ports() []PortIntent {
	var out []PortIntent
	for _, p := range v.Peers {
		out = append(out, PortIntent{
			Switch: v.Switch, Port: p.Port, Generation: v.Generation, Mode: ModeVRF, VRF: v.VRF, VNI: v.VNI, Project: v.Project, Network: v.Network,
			PeerASN: p.ASN, Grants: v.Imports, External: &ExternalSession{Exports: v.Exports, MaximumPrefix: p.MaximumPrefix},
		})
	}
	return out
}
