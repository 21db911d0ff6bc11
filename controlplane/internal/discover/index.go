package discover

import (
	"maps"
	"slices"
	"strings"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Index keeps every machine's view while the fabric changes: what a change costs depends on what it concerns, not on how many
// machines there are. What it shows equals what Machines computes from the same Fabric. Its writer calls Settle after each batch
// of changes; between that and the next change any number of readers may look at once.
type Index struct {
	f      Fabric
	owners map[Port]string

	names map[token][]string           // machines by identity, sorted: the last one wins, as in newIndex
	said  map[token]map[Port]bool      // ports on which an identity is heard
	heard map[Port][]sorted            // claims by port, in the order of its neighbours
	at    map[target]map[Port]bool     // ports by whom their claims are for
	seen  map[string]map[Port][]string // by switch: machines whose views look at a port
	looks map[string][]Port            // by machine: ports that its view looks at
	views map[string]netmodel.MachineView
	free  map[string][]string // by rack, sorted

	dirtyPorts    map[Port]bool
	dirtyMachines map[string]bool
}

// token is one identity of a machine.
type token struct{ kind, text string }

type sorted struct {
	to    target
	claim claim
}

// NewIndex returns the index of an empty fabric.
func NewIndex() *Index {
	return &Index{
		f: Fabric{
			Switches: map[string]netmodel.Switch{}, Machines: map[string]netmodel.Machine{}, Allocations: map[string]netmodel.Allocation{},
			Intents: map[Port]netmodel.PortIntent{}, Discoveries: map[Port]netmodel.Discovery{}, Statuses: map[Port]netmodel.PortStatus{},
			Agents: map[string]netmodel.SwitchStatus{}, Alive: map[string]bool{},
		},
		owners: map[Port]string{}, names: map[token][]string{}, said: map[token]map[Port]bool{}, heard: map[Port][]sorted{},
		at: map[target]map[Port]bool{}, seen: map[string]map[Port][]string{}, looks: map[string][]Port{},
		views: map[string]netmodel.MachineView{}, free: map[string][]string{}, dirtyPorts: map[Port]bool{}, dirtyMachines: map[string]bool{},
	}
}

// Machines lists as Machines does: adopted machines sorted by ID, then those that are only discovered.
func (x *Index) Machines() []netmodel.MachineView {
	out := make([]netmodel.MachineView, 0, len(x.views))
	for _, id := range slices.Sorted(maps.Keys(x.views)) {
		out = append(out, x.views[id])
	}
	return append(out, x.Discovered()...)
}

// Discovered lists the machines that nobody has adopted.
func (x *Index) Discovered() []netmodel.MachineView {
	var unknown []string
	for t := range x.at {
		if t.unknown != "" {
			unknown = append(unknown, t.unknown)
		}
	}
	slices.Sort(unknown)
	var out []netmodel.MachineView
	for _, key := range unknown {
		if m, ok := x.f.discovered(x.claimsFor(target{unknown: key})); ok {
			out = append(out, m)
		}
	}
	return out
}

// One is a single adopted machine's view.
func (x *Index) One(id string) (netmodel.MachineView, bool) {
	v, ok := x.views[id]
	return v, ok
}

// Named finds the adopted machines that share an identity with one.
func (x *Index) Named(m netmodel.Machine) []string {
	var out []string
	for _, t := range tokens(m) {
		out = append(out, x.names[t]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// FreeRacks lists the racks that have free machines, sorted.
func (x *Index) FreeRacks() []string { return slices.Sorted(maps.Keys(x.free)) }

// FreeIn lists the free machines of a rack, sorted. The list must not be kept or changed.
func (x *Index) FreeIn(rack string) []string { return x.free[rack] }

// claimsFor gathers claims in the order of claims: by port, then by neighbour.
func (x *Index) claimsFor(t target) []claim {
	var out []claim
	for _, port := range slices.SortedFunc(maps.Keys(x.at[t]), comparePorts) {
		for _, n := range x.heard[port] {
			if n.to == t {
				out = append(out, n.claim)
			}
		}
	}
	return out
}

// tokens are a machine's identities, in lower case.
func tokens(m netmodel.Machine) []token {
	var out []token
	if m.SystemUUID != "" {
		out = append(out, token{"uuid", strings.ToLower(m.SystemUUID)})
	}
	if m.ChassisMAC != "" {
		out = append(out, token{"chassis", strings.ToLower(m.ChassisMAC)})
	}
	for _, mac := range m.PortMACs {
		out = append(out, token{"port", strings.ToLower(mac)})
	}
	return out
}

// tokens are what a neighbour says it is, the strongest first.
func (i Identity) tokens() []token {
	var out []token
	for _, t := range []token{{"uuid", i.SystemUUID}, {"chassis", i.ChassisMAC}, {"port", i.PortMAC}} {
		if t.text != "" {
			out = append(out, t)
		}
	}
	return out
}

// says is all that a port is looked for by: what a neighbour says it is, and its name, as that may be a switch's.
func (i Identity) says() []token { return append(i.tokens(), named(i.host())) }

func named(name string) token { return token{"name", name} }

// find is index.find over machines that come and go.
func (x *Index) find(i Identity) (string, bool) {
	for _, t := range i.tokens() {
		if ids := x.names[t]; len(ids) > 0 {
			return ids[len(ids)-1], true
		}
	}
	return "", false
}
