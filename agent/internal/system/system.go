// Package system is the seam between the planner and the network operating systems: each backend observes a switch as the
// canonical state and carries out operations on it. Nothing here decides anything.
package system

import (
	"context"
	"net"
	"net/netip"

	"github.com/pointsman/pointsman/agent/internal/plan"
	frrtemplates "github.com/pointsman/pointsman/frr-templates"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Switch is a network OS with all that the agent's commands need of it. linux.System is one; where the kernel and FRR are the same
// but the ports' configuration is not, another embeds that and changes what differs.
type Switch interface {
	System
	Routes
	// UseTemplates makes these render FRR's configuration; nil means the built-in ones. It is called before anything is observed.
	UseTemplates(*frrtemplates.Set)
	// Protects reports whether the switch keeps machines off its CPU by a table of nftables.
	Protects() bool
	// Keep puts back, until ctx ends, what the kernel and FRR lose of each other.
	Keep(ctx context.Context, r Routing)
	// Close releases what the switch was opened with.
	Close()
}

// Routing is what FRR is asked for whoever keeps the kernel as FRR wants it.
type Routing interface {
	// NexthopGroups are zebra's groups of next hops and their members.
	NexthopGroups(ctx context.Context) (map[uint32][]uint32, error)
	// FailedRoutes are the routes of zebra's that the kernel has refused.
	FailedRoutes(ctx context.Context) ([]FailedRoute, error)
	// RouterMACs are the router MACs that VTEPs announce with exactly this prefix: by whose route has the route target of the VNI, or any.
	RouterMACs(ctx context.Context, vni netmodel.VNI, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error)
	// TunnelSVIs are the devices by which FRR routes into VNIs, "" where it has none; nothing where it is known not to be wrong about them.
	TunnelSVIs(ctx context.Context) (map[netmodel.VNI]string, error)
}

// FailedRoute is a route of FRR's that the kernel has refused.
type FailedRoute struct {
	Table    uint32
	Prefix   netip.Prefix
	Protocol string // FRR's word: "bgp"
	Group    uint32 // the next hop, or the group of them, that zebra has for it
}

// System is one network operating system.
type System interface {
	// Name is the word that people know it by: "linux".
	Name() string
	// Observe reads what the switch is. A part that could not be read is listed in State.Unknown, never reported as empty.
	Observe(ctx context.Context) (plan.State, error)
	// Facts reads what the planner must know besides: the ports that exist, the switch's name. Assigned numbers are the caller's.
	Facts(ctx context.Context) (plan.Facts, error)
	// Apply carries out ops in order. A failed step skips those that depend on it (same port or VRF) and no others.
	Apply(ctx context.Context, ops []plan.Op) []plan.Result
	// Carrier reports whether somebody is at the other end of a port's cable. It costs little.
	Carrier(port string) bool
	// Watch calls kick whenever something changed that Observe would see differently. It returns when ctx ends.
	Watch(ctx context.Context, kick func(why string)) error
}

// Routes answers whether a switch holds a route in its kernel. It is what probes ask.
type Routes interface {
	// RouteNextHops returns the next hops of exactly this prefix in a VRF ("" is the default one), sorted; none if there is no such
	// route. Those of EVPN type 5 routes are the addresses of remote VTEPs; one whose router MAC is missing is none, as no packet gets there.
	RouteNextHops(ctx context.Context, vrf string, prefix netip.Prefix) ([]netip.Addr, error)
	// WatchRoutes calls changed for each route that comes, changes or goes, until ctx ends. After a gap it is called once with the
	// zero prefix: anything may have changed.
	WatchRoutes(ctx context.Context, changed func(table uint32, prefix netip.Prefix)) error
}
