package discover

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

const (
	uuidA = "00000000-0000-0000-0000-00000000000a"
	uuidB = "00000000-0000-0000-0000-00000000000b"
)

// rack is two racks of two leaves with two machine ports each, all in proven provisioning, nothing heard.
func rack() Fabric {
	f := Fabric{
		Switches: map[string]netmodel.Switch{}, Machines: map[string]netmodel.Machine{}, Allocations: map[string]netmodel.Allocation{},
		Intents: map[Port]netmodel.PortIntent{}, Discoveries: map[Port]netmodel.Discovery{}, Statuses: map[Port]netmodel.PortStatus{},
		Agents: map[string]netmodel.SwitchStatus{}, Alive: map[string]bool{},
	}
	for i := 1; i <= 4; i++ {
		leaf := fmt.Sprintf("leaf%02d", i)
		f.Switches[leaf] = netmodel.Switch{ID: leaf, Role: netmodel.RoleLeaf, Rack: fmt.Sprintf("rack%02d", (i+1)/2)}
		f.Agents[leaf] = netmodel.SwitchStatus{Switch: leaf, State: netmodel.AgentFollowing}
		f.Alive[leaf] = true
		for _, port := range []string{"swp1", "swp2"} {
			p := Port{leaf, port}
			f.Intents[p] = netmodel.PortIntent{Switch: leaf, Port: port, Generation: 1, Mode: netmodel.ModeProvisioning}
			f.Statuses[p] = netmodel.PortStatus{Port: port, AppliedGeneration: 1, Mode: netmodel.ModeProvisioning}
		}
	}
	return f
}

func (f Fabric) hear(port Port, uuid, name string) {
	d := f.Discoveries[port]
	d.Neighbours = append(d.Neighbours, netmodel.Neighbour{
		ChassisID: uuid, ChassisIDSubtype: chassisLocal, PortID: "02:00:00:00:" + port.Switch[4:] + ":" + "0" + port.Port[3:], PortIDSubtype: portMAC,
		SystemName: name, PortDescription: "lan0",
	})
	f.Discoveries[port] = d
}

func (f Fabric) allocate(machine string, ports ...Port) {
	a := netmodel.Allocation{ID: "a-" + machine, Machine: machine}
	for _, p := range ports {
		a.Ports = append(a.Ports, netmodel.AllocationPort{Switch: p.Switch, Port: p.Port, MachinePort: "lan7"})
		intent := f.Intents[p]
		intent.Mode, intent.Allocation = netmodel.ModeVRF, a.ID
		f.Intents[p] = intent
	}
	f.Allocations[machine] = a
	m := f.Machines[machine]
	m.Allocation = a.ID
	f.Machines[machine] = m
}

func TestMachines(t *testing.T) {
	adopt := func(f Fabric) { f.Machines["a"] = netmodel.Machine{ID: "a", SystemUUID: uuidA} }
	both := func(f Fabric) {
		f.hear(Port{"leaf01", "swp1"}, uuidA, "a")
		f.hear(Port{"leaf02", "swp1"}, uuidA, "a")
	}
	tests := []struct {
		name  string
		build func(f Fabric)
		state netmodel.MachineState
		fault string // part of a fault; empty is none
	}{
		{"discovered", both, netmodel.MachineDiscovered, ""},
		{"free", func(f Fabric) { adopt(f); both(f) }, netmodel.MachineFree, ""},
		{"entered before, not heard yet", adopt, netmodel.MachineFaulty, "heard on no leaf"},
		{"one leaf", func(f Fabric) { adopt(f); f.hear(Port{"leaf01", "swp1"}, uuidA, "a") }, netmodel.MachineFaulty, "heard on one leaf only: leaf01 swp1 to a lan0"},
		{"twice on one leaf", func(f Fabric) { adopt(f); both(f); f.hear(Port{"leaf01", "swp2"}, uuidA, "a") }, netmodel.MachineFaulty, "cabled 2 times to leaf01: leaf01 swp1 to a lan0, leaf01 swp2 to a lan0"},
		{"two racks", func(f Fabric) {
			adopt(f)
			f.hear(Port{"leaf01", "swp1"}, uuidA, "a")
			f.hear(Port{"leaf03", "swp1"}, uuidA, "a")
		}, netmodel.MachineFaulty, "cabled to more than one rack: leaf01 swp1 to a lan0 in rack rack01, leaf03 swp1 to a lan0 in rack rack02"},
		{"two neighbours on a port", func(f Fabric) { adopt(f); both(f); f.hear(Port{"leaf01", "swp1"}, uuidB, "b") }, netmodel.MachineFaulty, "leaf01 swp1 hears more than one neighbour: a lan0, b lan0"},
		{"leaf away", func(f Fabric) { adopt(f); both(f); f.Alive["leaf02"] = false }, netmodel.MachineFaulty, "leaf02 is not live"},
		{"leaf holds", func(f Fabric) {
			adopt(f)
			both(f)
			f.Agents["leaf02"] = netmodel.SwitchStatus{State: netmodel.AgentHolding, Reason: "a foreign store"}
		}, netmodel.MachineFaulty, "leaf02 does not follow this store: a foreign store"},
		{"not applied", func(f Fabric) {
			adopt(f)
			both(f)
			f.Statuses[Port{"leaf02", "swp1"}] = netmodel.PortStatus{AppliedGeneration: 0}
		}, netmodel.MachineFaulty, "leaf02 swp1 has not yet applied generation 1"},
		{"release unproven", func(f Fabric) {
			adopt(f)
			both(f)
			m := f.Machines["a"]
			m.PendingRelease = []netmodel.PendingRelease{{Switch: "leaf01", Port: "swp1", Generation: 1}, {Switch: "leaf02", Port: "swp1", Generation: 2}}
			f.Machines["a"] = m
		}, netmodel.MachineReleasing, "leaf02 has not yet proven the release of swp1 (generation 2)"},
		{"release proven", func(f Fabric) {
			adopt(f)
			both(f)
			m := f.Machines["a"]
			m.PendingRelease = []netmodel.PendingRelease{{Switch: "leaf01", Port: "swp1", Generation: 1}}
			f.Machines["a"] = m
		}, netmodel.MachineFree, ""},
		{"allocated", func(f Fabric) { adopt(f); both(f); f.allocate("a", Port{"leaf01", "swp1"}, Port{"leaf02", "swp1"}) }, netmodel.MachineAllocated, ""},
		{"allocated, silent", func(f Fabric) { adopt(f); f.allocate("a", Port{"leaf01", "swp1"}, Port{"leaf02", "swp1"}) }, netmodel.MachineAllocated, "leaf01 swp1 does not hear a lan7"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := rack()
			test.build(f)
			got := Machines(f)
			if len(got) == 0 {
				t.Fatal("no machine")
			}
			m := got[0]
			if m.State != test.state {
				t.Errorf("state %s, want %s; faults %v", m.State, test.state, m.Faults)
			}
			if all := strings.Join(m.Faults, "; "); test.fault == "" && all != "" || !strings.Contains(all, test.fault) {
				t.Errorf("faults %q, want %q", all, test.fault)
			}
		})
	}
}

// TestAllocatedPortsWord: what an allocated port claims never moves or blocks another machine.
func TestAllocatedPortsWord(t *testing.T) {
	f := rack()
	f.Machines["a"] = netmodel.Machine{ID: "a", SystemUUID: uuidA}
	f.Machines["b"] = netmodel.Machine{ID: "b", SystemUUID: uuidB}
	f.hear(Port{"leaf01", "swp1"}, uuidA, "a")
	f.hear(Port{"leaf02", "swp1"}, uuidA, "a")
	f.allocate("a", Port{"leaf01", "swp1"}, Port{"leaf02", "swp1"})
	f.hear(Port{"leaf01", "swp2"}, uuidB, "b")
	f.hear(Port{"leaf02", "swp2"}, uuidB, "b")
	f.hear(Port{"leaf01", "swp1"}, uuidB, "b") // a pretends to be b
	f.hear(Port{"leaf03", "swp1"}, uuidA, "a") // somebody unallocated pretends to be a
	a, _ := One(f, "a")
	b, _ := One(f, "b")
	if b.State != netmodel.MachineFree || len(b.Connections) != 2 || len(b.Faults) > 0 {
		t.Errorf("b is %s with %v: %v", b.State, b.Connections, b.Faults)
	}
	if a.State != netmodel.MachineAllocated || len(a.Connections) != 2 || !strings.Contains(strings.Join(a.Faults, ";"), "leaf01 swp1 hears b lan0 instead of a lan7") {
		t.Errorf("a is %s with %v: %v", a.State, a.Connections, a.Faults)
	}
}

func TestSuggestedIDs(t *testing.T) {
	tests := []struct{ name, uuid, want string }{
		{"machine01", uuidA, "machine01"},
		{"host.example.com", uuidA, "host"},
		{uuidA, uuidA, "m-" + uuidA},
		{"Bad_Name", uuidA, "m-" + uuidA},
		{"localhost", uuidA, "m-" + uuidA},
	}
	for _, test := range tests {
		if got := SuggestID(netmodel.MachineView{SystemName: strings.ToLower(test.name), Machine: netmodel.Machine{SystemUUID: test.uuid}}); got != test.want {
			t.Errorf("SuggestID(%q) = %q, want %q", test.name, got, test.want)
		}
	}
}
