package discover_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/pointsman/pointsman/controlplane/internal/discover"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// world is a small fabric that changes at random, beside an index that is told of each change.
type world struct {
	f discover.Fabric
	x *discover.Index
}

var (
	someSwitches = []string{"leaf01", "leaf02", "leaf03"}
	somePorts    = []string{"swp1", "swp2", "swp10"}
	someMachines = []string{"m1", "m2", "m3"}
	someMACs     = []string{"02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"}
	someNames    = append([]string{"leaf01", "leaf02.example.com", "m1"}, someUUIDs...)
	someUUIDs    = []string{"", "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"}
)

// put changes a map of the fabric at random, and tells the index.
func put[K comparable, V any](t *rapid.T, m map[K]V, k K, tell func(K, *V), make func() V) {
	if rapid.IntRange(0, 3).Draw(t, "gone") == 0 {
		delete(m, k)
		tell(k, nil)
		return
	}
	v := make()
	m[k] = v
	tell(k, &v)
}

func draw[V any](t *rapid.T, from []V) V { return rapid.SampledFrom(from).Draw(t, "one") }

func drawPort(t *rapid.T) discover.Port {
	return discover.Port{Switch: draw(t, someSwitches), Port: draw(t, somePorts)}
}

func drawGeneration(t *rapid.T) uint64 { return rapid.Uint64Range(1, 2).Draw(t, "generation") }

func drawNeighbours(t *rapid.T) netmodel.Discovery {
	var d netmodel.Discovery
	for range rapid.IntRange(0, 2).Draw(t, "neighbours") {
		d.Neighbours = append(d.Neighbours, netmodel.Neighbour{
			ChassisIDSubtype: 4, ChassisID: draw(t, someMACs), PortIDSubtype: 3, PortID: draw(t, someMACs), SystemName: draw(t, someNames),
		})
	}
	return d
}

// change makes one change of any kind.
func (w world) change(t *rapid.T) {
	switch rapid.IntRange(0, 7).Draw(t, "kind") {
	case 0:
		put(t, w.f.Switches, draw(t, someSwitches), w.x.Switch, func() netmodel.Switch {
			sw := netmodel.Switch{Rack: draw(t, []string{"rack1", "rack2"})}
			for _, port := range somePorts {
				sw.Ports = append(sw.Ports, netmodel.SwitchPort{Name: port, Role: draw(t, []netmodel.PortRole{netmodel.PortMachine, netmodel.PortMachine, netmodel.PortUplink})})
			}
			return sw
		})
	case 1:
		put(t, w.f.Agents, draw(t, someSwitches), w.x.Agent, func() netmodel.SwitchStatus {
			return netmodel.SwitchStatus{State: draw(t, []netmodel.AgentState{netmodel.AgentFollowing, netmodel.AgentHolding})}
		})
	case 2:
		put(t, w.f.Alive, draw(t, someSwitches), func(sw string, v *bool) { w.x.Alive(sw, v != nil) }, func() bool { return true })
	case 3:
		put(t, w.f.Intents, drawPort(t), w.x.Intent, func() netmodel.PortIntent {
			return netmodel.PortIntent{Generation: drawGeneration(t), Mode: draw(t, []netmodel.PortMode{netmodel.ModeProvisioning, netmodel.ModeVRF})}
		})
	case 4:
		put(t, w.f.Statuses, drawPort(t), w.x.Status, func() netmodel.PortStatus {
			return netmodel.PortStatus{AppliedGeneration: drawGeneration(t), Mode: netmodel.ModeProvisioning}
		})
	case 5:
		put(t, w.f.Discoveries, drawPort(t), w.x.Discovery, func() netmodel.Discovery { return drawNeighbours(t) })
	case 6:
		id := draw(t, someMachines)
		put(t, w.f.Machines, id, w.x.Machine, func() netmodel.Machine {
			m := netmodel.Machine{ID: id, SystemUUID: draw(t, someUUIDs), PortMACs: []string{draw(t, someMACs)}, Allocation: draw(t, []string{"", "a-" + id})}
			if rapid.Bool().Draw(t, "releasing") {
				p := drawPort(t)
				m.PendingRelease = []netmodel.PendingRelease{{Switch: p.Switch, Port: p.Port, Generation: drawGeneration(t)}}
			}
			return m
		})
	case 7:
		w.allocation(t)
	}
}

// allocation gives a machine ports that no other allocation holds, or takes them.
func (w world) allocation(t *rapid.T) {
	machine := draw(t, someMachines)
	var before *netmodel.Allocation
	if a, ok := w.f.Allocations[machine]; ok {
		before = &a
		delete(w.f.Allocations, machine)
	}
	held := map[discover.Port]bool{}
	for _, a := range w.f.Allocations {
		for _, p := range a.Ports {
			held[discover.Port{Switch: p.Switch, Port: p.Port}] = true
		}
	}
	after := netmodel.Allocation{ID: "a-" + machine, Machine: machine}
	for range 2 {
		if p := drawPort(t); !held[p] {
			held[p] = true
			after.Ports = append(after.Ports, netmodel.AllocationPort{Switch: p.Switch, Port: p.Port})
		}
	}
	if rapid.Bool().Draw(t, "released") {
		w.x.Allocation(before, nil)
		return
	}
	w.f.Allocations[machine] = after
	w.x.Allocation(before, &after)
}

// TestIndexShowsWhatMachinesComputes: after any changes in any batches, nothing tells the two apart.
func TestIndexShowsWhatMachinesComputes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := world{x: discover.NewIndex(), f: discover.Fabric{
			Switches: map[string]netmodel.Switch{}, Machines: map[string]netmodel.Machine{}, Allocations: map[string]netmodel.Allocation{},
			Intents: map[discover.Port]netmodel.PortIntent{}, Discoveries: map[discover.Port]netmodel.Discovery{}, Statuses: map[discover.Port]netmodel.PortStatus{},
			Agents: map[string]netmodel.SwitchStatus{}, Alive: map[string]bool{},
		}}
		for range rapid.IntRange(1, 20).Draw(t, "batches") {
			for range rapid.IntRange(1, 15).Draw(t, "changes") {
				w.change(t)
			}
			w.x.Settle()
			want := discover.Machines(w.f)
			if diff := cmp.Diff(want, w.x.Machines(), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("(-computed anew +index):\n%s", diff)
			}
			w.comparePorts(t)
			if free := freeIn(w.x); !maps.EqualFunc(free, freeOf(want), slices.Equal) {
				t.Fatalf("free in the index %v, computed %v", free, freeOf(want))
			}
		}
	})
}

func (w world) comparePorts(t *rapid.T) {
	for _, sw := range someSwitches {
		for _, name := range somePorts {
			p := discover.Port{Switch: sw, Port: name}
			if diff := cmp.Diff(discover.PortFaults(w.f, p), w.x.PortFaults(p)); diff != "" {
				t.Fatalf("%s (-computed anew +index):\n%s", p, diff)
			}
		}
	}
}

func freeOf(all []netmodel.MachineView) map[string][]string {
	out := map[string][]string{}
	for _, m := range all {
		if m.State == netmodel.MachineFree {
			out[m.Rack] = append(out[m.Rack], m.ID)
		}
	}
	return out
}

func freeIn(x *discover.Index) map[string][]string {
	out := map[string][]string{}
	for _, rack := range x.FreeRacks() {
		out[rack] = x.FreeIn(rack)
	}
	return out
}

// TestNamedFindsSharedIdentities: in whatever case they are written.
func TestNamedFindsSharedIdentities(t *testing.T) {
	x := discover.NewIndex()
	for id, mac := range map[string]string{"m1": "02:00:00:00:00:0A", "m2": "02:00:00:00:00:0b"} {
		x.Machine(id, &netmodel.Machine{ID: id, PortMACs: []string{mac}})
	}
	x.Settle()
	got := x.Named(netmodel.Machine{PortMACs: []string{"02:00:00:00:00:0a", "02:00:00:00:00:0B"}})
	if !slices.Equal(got, []string{"m1", "m2"}) {
		t.Errorf("got %v", got)
	}
	x.Machine("m1", nil)
	x.Settle()
	if got := x.Named(netmodel.Machine{PortMACs: []string{"02:00:00:00:00:0a"}}); len(got) != 0 {
		t.Errorf("a machine that is gone is found: %v", got)
	}
}
