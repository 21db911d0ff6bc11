// Package frr is a text model of FRR's configuration: it parses what `show running-config` prints and what our templates
// render, compares the two, and orders the difference so that FRR accepts it. Pure: no IO, no clock. The agent's system/frr
// package speaks to the daemons.
package frr

import "strings"

// Stage is when, in the order of one switch-wide change, a line may be sent. A port leaves its VRF and
// enters the next after StageNeighbourRemoval, and comes up after StageFilterRemoval.
type Stage int

// Stages, in order.
const (
	// StageNeighbourRemoval takes neighbours of leaving ports away: before the port leaves its VRF, or bgpd may die.
	StageNeighbourRemoval Stage = iota
	// StageAddition adds VRFs, VNIs, BGP instances, filters and neighbours: before a port comes up, so that its session is quick.
	StageAddition
	// StageFilterRemoval deletes route-maps and prefix-lists that nothing refers to any more.
	StageFilterRemoval
	// StageInstanceRemoval sends `no vni` and then `no router bgp … vrf`, once no port is left in the VRF.
	StageInstanceRemoval
	// StageVRFRemoval sends `no vrf`, which FRR refuses while the kernel's device exists.
	StageVRFRemoval
)

// Change is one command in its context.
type Change struct {
	// Context holds the commands that lead to Line, outermost first: {"router bgp 65000 vrf Vrf1", "address-family ipv4 unicast"}.
	Context []string
	// Line is the command as sent: deletions carry their own "no ".
	Line  string
	Stage Stage
	// Port is the port that the line is for, or "" if it is for the whole switch or VRF.
	Port string
	// VRF is the VRF that the line is for, or "".
	VRF string
}

// String is the change as people read it: "router bgp 65000 vrf Vrf1 / address-family ipv4 unicast / network 10.0.0.0/24".
func (c Change) String() string {
	return strings.Join(append(append([]string(nil), c.Context...), c.Line), " / ")
}
