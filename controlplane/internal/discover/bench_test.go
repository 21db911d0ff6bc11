package discover_test

import (
	"fmt"
	"testing"

	"github.com/pointsman/pointsman/controlplane/internal/discover"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// BenchmarkChange measures what a choice needs after a port has reported: which machines are free, of a thousand; computed anew,
// and by the index.
func BenchmarkChange(b *testing.B) {
	f, x := thousand()
	at := discover.Port{Switch: "leaf00a", Port: "swp1"}
	b.Run("anew", func(b *testing.B) {
		for b.Loop() {
			f.Statuses[at] = netmodel.PortStatus{AppliedGeneration: 1, Mode: netmodel.ModeProvisioning}
			if n := len(freeOf(discover.Machines(f))); n != 25 {
				b.Fatalf("%d racks have free machines", n)
			}
		}
	})
	b.Run("index", func(b *testing.B) {
		for b.Loop() {
			x.Status(at, &netmodel.PortStatus{AppliedGeneration: 1, Mode: netmodel.ModeProvisioning})
			x.Settle()
			if n := len(x.FreeRacks()); n != 25 {
				b.Fatalf("%d racks have free machines", n)
			}
		}
	})
}

// thousand is 25 racks of 40 free machines, as a fabric and as an index.
func thousand() (discover.Fabric, *discover.Index) {
	x := discover.NewIndex()
	f := discover.Fabric{
		Switches: map[string]netmodel.Switch{}, Machines: map[string]netmodel.Machine{}, Intents: map[discover.Port]netmodel.PortIntent{},
		Discoveries: map[discover.Port]netmodel.Discovery{}, Statuses: map[discover.Port]netmodel.PortStatus{},
		Agents: map[string]netmodel.SwitchStatus{}, Alive: map[string]bool{},
	}
	for m := range 1000 {
		id, rack := fmt.Sprintf("m%03d", m), m/40
		machine := netmodel.Machine{ID: id, ChassisMAC: fmt.Sprintf("02:00:00:00:%02x:%02x", m>>8, m&0xff)}
		f.Machines[id] = machine
		x.Machine(id, &machine)
		for _, side := range []string{"a", "b"} {
			leaf := fmt.Sprintf("leaf%02d%s", rack, side)
			sw, agent, at := netmodel.Switch{ID: leaf, Rack: fmt.Sprint("rack", rack)}, netmodel.SwitchStatus{State: netmodel.AgentFollowing}, discover.Port{Switch: leaf, Port: fmt.Sprint("swp", m%40+1)}
			f.Switches[leaf], f.Agents[leaf], f.Alive[leaf] = sw, agent, true
			f.Intents[at] = netmodel.PortIntent{Mode: netmodel.ModeProvisioning, Generation: 1}
			f.Statuses[at] = netmodel.PortStatus{Mode: netmodel.ModeProvisioning, AppliedGeneration: 1}
			f.Discoveries[at] = netmodel.Discovery{Neighbours: []netmodel.Neighbour{{ChassisIDSubtype: 4, ChassisID: machine.ChassisMAC, SystemName: id}}}
			intent, status, heard := f.Intents[at], f.Statuses[at], f.Discoveries[at]
			x.Switch(leaf, &sw)
			x.Agent(leaf, &agent)
			x.Alive(leaf, true)
			x.Intent(at, &intent)
			x.Status(at, &status)
			x.Discovery(at, &heard)
		}
	}
	x.Settle()
	return f, x
}
