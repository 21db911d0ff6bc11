package discover

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// cabled is two racks with three adopted machines: a and b cabled as they should be in rack01 and c in rack02, an uplink on each leaf, and a
// spine.
func cabled() Fabric {
	f := rack()
	for _, leaf := range []string{"leaf01", "leaf02", "leaf03", "leaf04"} {
		sw := f.Switches[leaf]
		sw.Ports = []netmodel.SwitchPort{{Name: "swp1", Role: netmodel.PortMachine}, {Name: "swp2", Role: netmodel.PortMachine}, {Name: "swp31", Role: netmodel.PortUplink}}
		f.Switches[leaf] = sw
		f.hearSwitch(Port{leaf, "swp31"}, "spine01.example.com", "swp"+leaf[5:])
	}
	f.Switches["spine01"] = netmodel.Switch{ID: "spine01", Role: netmodel.RoleSpine}
	for id, uuid := range map[string]string{"a": uuidA, "b": uuidB, "c": uuidC} {
		f.Machines[id] = netmodel.Machine{ID: id, SystemUUID: uuid}
	}
	f.cable("a", Port{"leaf01", "swp1"}, Port{"leaf02", "swp1"})
	f.cable("b", Port{"leaf01", "swp2"}, Port{"leaf02", "swp2"})
	f.cable("c", Port{"leaf03", "swp1"}, Port{"leaf04", "swp1"})
	return f
}

const uuidC = "00000000-0000-0000-0000-00000000000c"

var uuids = map[string]string{"a": uuidA, "b": uuidB, "c": uuidC}

// cable puts a machine's lan0, lan1, … into ports, instead of what is there.
func (f Fabric) cable(machine string, ports ...Port) {
	for _, p := range ports {
		delete(f.Discoveries, p)
	}
	for i, p := range ports {
		f.plug(machine, "lan"+string(rune('0'+i)), p)
	}
}

// plug adds a cable to a port beside what is there.
func (f Fabric) plug(machine, lan string, p Port) {
	f.hear(p, uuids[machine], machine)
	n := f.Discoveries[p].Neighbours
	n[len(n)-1].PortDescription = lan
}

func (f Fabric) hearSwitch(p Port, name, port string) {
	d := f.Discoveries[p]
	d.Neighbours = append(d.Neighbours, netmodel.Neighbour{
		ChassisID: "02:aa:00:00:00:01", ChassisIDSubtype: chassisMAC, PortID: port, PortIDSubtype: portInterface, SystemName: name,
	})
	f.Discoveries[p] = d
}

func (f Fabric) unplug(p Port) { delete(f.Discoveries, p) }

// TestWrongCabling: each form is told with both ends, at the machine and at the port; the machine is not allocatable, and nobody else is
// touched.
func TestWrongCabling(t *testing.T) {
	for _, tt := range []struct {
		name  string
		wrong func(f Fabric)
		// machines not free any more, and what is said of each.
		machines map[string]string
		// ports, and what is said there.
		ports map[Port]string
	}{
		{"as it should be", func(Fabric) {}, nil, nil},
		{
			"a port with two neighbours", func(f Fabric) { f.plug("b", "lan2", Port{"leaf01", "swp1"}) },
			map[string]string{
				"a": "leaf01 swp1 hears more than one neighbour: a lan0, b lan2",
				"b": "leaf01 swp1 hears more than one neighbour: b lan2, a lan0",
			},
			map[Port]string{{"leaf01", "swp1"}: "leaf01 swp1 hears more than one neighbour: a lan0, b lan2"},
		},
		{
			"two racks", func(f Fabric) { f.unplug(Port{"leaf02", "swp1"}); f.plug("a", "lan1", Port{"leaf04", "swp2"}) },
			map[string]string{"a": "cabled to more than one rack: leaf01 swp1 to a lan0 in rack rack01, leaf04 swp2 to a lan1 in rack rack02"}, nil,
		},
		{
			"twice to one leaf", func(f Fabric) { f.unplug(Port{"leaf04", "swp1"}); f.plug("c", "lan1", Port{"leaf03", "swp2"}) },
			map[string]string{"c": "cabled 2 times to leaf03: leaf03 swp1 to c lan0, leaf03 swp2 to c lan1"}, nil,
		},
		{
			"an uplink where a machine should be", func(f Fabric) {
				f.unplug(Port{"leaf03", "swp1"})
				f.hearSwitch(Port{"leaf03", "swp1"}, "spine01", "swp9")
			},
			map[string]string{"c": "heard on one leaf only: leaf04 swp1 to c lan1"},
			map[Port]string{{"leaf03", "swp1"}: "leaf03 swp1 hears switch spine01 swp9 where a machine should be"},
		},
		{
			"a machine where an uplink should be", func(f Fabric) {
				f.cable("c", Port{"leaf03", "swp31"}, Port{"leaf04", "swp1"})
				f.unplug(Port{"leaf03", "swp1"})
			},
			map[string]string{"c": "cabled to an uplink: leaf03 swp31 to c lan0"},
			map[Port]string{{"leaf03", "swp31"}: "leaf03 swp31 is an uplink and hears c lan0, which is no registered switch"},
		},
		{
			"crossed pairs", func(f Fabric) {
				f.cable("a", Port{"leaf01", "swp1"}, Port{"leaf02", "swp2"})
				f.cable("b", Port{"leaf01", "swp2"}, Port{"leaf02", "swp1"})
			},
			map[string]string{
				"a": "crossed with b: leaf01 swp1 to a lan0, leaf02 swp2 to a lan1, but leaf01 swp2 to b lan0, leaf02 swp1 to b lan1",
				"b": "crossed with a: leaf01 swp2 to b lan0, leaf02 swp1 to b lan1, but leaf01 swp1 to a lan0, leaf02 swp2 to a lan1",
			}, nil,
		},
		{
			"crossed pairs of leaves with other names", func(f Fabric) {
				f.unplug(Port{"leaf02", "swp1"})
				f.unplug(Port{"leaf02", "swp2"})
				sonic := f.Switches["leaf02"]
				sonic.Ports = []netmodel.SwitchPort{{Name: "Ethernet12", Role: netmodel.PortMachine}, {Name: "Ethernet8", Role: netmodel.PortMachine}, {Name: "Ethernet0", Role: netmodel.PortUplink}}
				f.Switches["leaf02"] = sonic
				for _, port := range []string{"Ethernet8", "Ethernet12"} {
					p := Port{"leaf02", port}
					f.Intents[p] = netmodel.PortIntent{Switch: p.Switch, Port: port, Generation: 1, Mode: netmodel.ModeProvisioning}
					f.Statuses[p] = netmodel.PortStatus{Port: port, AppliedGeneration: 1, Mode: netmodel.ModeProvisioning}
				}
				f.cable("a", Port{"leaf01", "swp1"}, Port{"leaf02", "Ethernet12"})
				f.cable("b", Port{"leaf01", "swp2"}, Port{"leaf02", "Ethernet8"})
			},
			map[string]string{
				"a": "crossed with b: leaf01 swp1 to a lan0, leaf02 Ethernet12 to a lan1, but leaf01 swp2 to b lan0, leaf02 Ethernet8 to b lan1",
				"b": "crossed with a: leaf01 swp2 to b lan0, leaf02 Ethernet8 to b lan1, but leaf01 swp1 to a lan0, leaf02 Ethernet12 to a lan1",
			}, nil,
		},
		{
			"crossed pairs of two racks", func(f Fabric) {
				f.cable("a", Port{"leaf01", "swp1"}, Port{"leaf04", "swp1"})
				f.cable("c", Port{"leaf03", "swp1"}, Port{"leaf02", "swp1"})
			},
			map[string]string{
				"a": "cabled to more than one rack: leaf01 swp1 to a lan0 in rack rack01, leaf04 swp1 to a lan1 in rack rack02",
				"c": "cabled to more than one rack: leaf02 swp1 to c lan1 in rack rack01, leaf03 swp1 to c lan0 in rack rack02",
			}, nil,
		},
		{
			"one leaf more", func(f Fabric) { f.plug("c", "lan2", Port{"leaf01", "swp2"}); f.cable("b") },
			map[string]string{"b": "leaf01 swp2 hears more than one neighbour: b lan0, c lan2", "c": "cabled to 3 leaves: leaf01 swp2 to c lan2, leaf03 swp1 to c lan0, leaf04 swp1 to c lan1"},
			map[Port]string{{"leaf01", "swp2"}: "leaf01 swp2 hears more than one neighbour: b lan0, c lan2"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := cabled()
			tt.wrong(f)
			for _, m := range Machines(f) {
				want, faulty := tt.machines[m.ID]
				switch {
				case faulty && (m.State != netmodel.MachineFaulty || !slices.Contains(m.Faults, want)):
					t.Errorf("%s is %s, %q; want %q", m.ID, m.State, m.Faults, want)
				case !faulty && (m.State != netmodel.MachineFree || len(m.Faults) > 0):
					t.Errorf("%q (%s) is %s: %q", m.ID, m.SystemName, m.State, m.Faults)
				}
			}
			told := map[Port]string{}
			for p := range f.Discoveries {
				if faults := PortFaults(f, p); len(faults) > 0 {
					told[p] = strings.Join(faults, "; ")
				}
			}
			if diff := cmp.Diff(tt.ports, told, cmp.Transformer("empty", func(m map[Port]string) map[string]string {
				out := map[string]string{}
				for p, v := range m {
					out[p.String()] = v
				}
				return out
			})); diff != "" {
				t.Errorf("ports (-want +told):\n%s", diff)
			}
		})
	}
}

// TestNeighbourChangesUnderAnAllocation: it is told where it happens, the tenant keeps what it has, and the machine that is heard there is
// not taken for one that moved.
func TestNeighbourChangesUnderAnAllocation(t *testing.T) {
	f := cabled()
	p1, p2 := Port{"leaf01", "swp1"}, Port{"leaf02", "swp1"}
	f.allocate("a", p1, p2)
	f.cable("b", p1, Port{"leaf02", "swp2"})
	f.unplug(Port{"leaf01", "swp2"})
	a, _ := One(f, "a")
	b, _ := One(f, "b")
	c, _ := One(f, "c")
	if a.State != netmodel.MachineAllocated || len(a.Connections) != 2 || !slices.Contains(a.Faults, "leaf01 swp1 hears b lan0 instead of a lan7") {
		t.Errorf("a is %s with %v: %q", a.State, a.Connections, a.Faults)
	}
	if b.State != netmodel.MachineFaulty || !slices.Contains(b.Faults, "heard on one leaf only: leaf02 swp2 to b lan1") || len(b.Connections) != 1 {
		t.Errorf("b is %s with %v: %q", b.State, b.Connections, b.Faults)
	}
	if c.State != netmodel.MachineFree {
		t.Errorf("c is %s: %q", c.State, c.Faults)
	}
	if got := PortFaults(f, p1); !slices.Equal(got, []string{"leaf01 swp1 hears b lan0 instead of a lan7"}) {
		t.Errorf("port: %q", got)
	}
	if got := PortFaults(f, p2); len(got) != 0 {
		t.Errorf("the other port: %q", got)
	}
}

// TestAnAllocatedPairCrossesNobody: what is heard on allocated ports makes nobody a crossed pair.
func TestAnAllocatedPairCrossesNobody(t *testing.T) {
	f := cabled()
	f.cable("a", Port{"leaf01", "swp1"}, Port{"leaf02", "swp2"})
	f.cable("b", Port{"leaf01", "swp2"}, Port{"leaf02", "swp1"})
	f.allocate("b", Port{"leaf01", "swp2"}, Port{"leaf02", "swp1"})
	if a, _ := One(f, "a"); a.State != netmodel.MachineFree {
		t.Errorf("a is %s: %q", a.State, a.Faults)
	}
}

// TestASwitchIsNoMachine: a spine that is cabled to machine ports of both leaves is not offered for adoption.
func TestASwitchIsNoMachine(t *testing.T) {
	f := cabled()
	for _, p := range []Port{{"leaf03", "swp2"}, {"leaf04", "swp2"}} {
		f.hearSwitch(p, "spine01", "swp9")
	}
	for _, m := range Machines(f) {
		if m.State == netmodel.MachineDiscovered {
			t.Errorf("discovered: %+v", m)
		}
	}
	if got := PortFaults(f, Port{"leaf04", "swp2"}); len(got) != 1 {
		t.Errorf("port: %q", got)
	}
	// And somebody unknown on an uplink alone is none either, but one with a cable in a machine port is, with the fault.
	f.hear(Port{"leaf03", "swp31"}, "00000000-0000-0000-0000-00000000000d", "d")
	f.hear(Port{"leaf03", "swp2"}, "00000000-0000-0000-0000-00000000000e", "e")
	f.hear(Port{"leaf04", "swp31"}, "00000000-0000-0000-0000-00000000000e", "e")
	var found []string
	for _, m := range Machines(f) {
		if m.State == netmodel.MachineDiscovered {
			found = append(found, m.SystemName+": "+strings.Join(m.Faults, "; "))
		}
	}
	if len(found) != 1 || !strings.HasPrefix(found[0], "e: ") || !strings.Contains(found[0], "cabled to an uplink: leaf04 swp31 to e lan0") {
		t.Errorf("discovered %q", found)
	}
}

// TestCrossingIsFollowed: whether a machine is crossed follows what other ports hear, change by change.
func TestCrossingIsFollowed(t *testing.T) {
	f, x := cabled(), NewIndex()
	f.cable("a", Port{"leaf01", "swp1"}, Port{"leaf02", "swp2"})
	f.cable("b", Port{"leaf01", "swp2"}, Port{"leaf02", "swp1"})
	for id, sw := range f.Switches {
		x.Switch(id, &sw)
	}
	for id, m := range f.Machines {
		x.Machine(id, &m)
	}
	for leaf := range f.Alive {
		x.Alive(leaf, true)
		agent := f.Agents[leaf]
		x.Agent(leaf, &agent)
	}
	for p, in := range f.Intents {
		x.Intent(p, &in)
		status := f.Statuses[p]
		x.Status(p, &status)
	}
	for p, d := range f.Discoveries {
		x.Discovery(p, &d)
	}
	state := func(want netmodel.MachineState) {
		t.Helper()
		x.Settle()
		if a, _ := x.One("a"); a.State != want {
			t.Errorf("a is %s, want %s: %q", a.State, want, a.Faults)
		}
	}
	state(netmodel.MachineFaulty)
	p := Port{"leaf02", "swp1"}
	was := f.Discoveries[p]
	x.Discovery(p, nil)
	state(netmodel.MachineFree)
	x.Discovery(p, &was)
	state(netmodel.MachineFaulty)
	in := f.Intents[p]
	in.Mode = netmodel.ModeVRF
	x.Intent(p, &in)
	state(netmodel.MachineFree)
}
