package receipt

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pointsman/pointsman/controlplane/internal/compile"
	"github.com/pointsman/pointsman/controlplane/internal/compiler"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Evidence is what switches have reported on an allocation's present generation.
type Evidence struct {
	// Reached lists the phases that the evidence proves, in order, with the agents' times.
	Reached []netmodel.PhaseStamp
	// Missing are switches that are not live and whose evidence was not waited for.
	Missing []string
	// WaitingFor says what keeps the next phase away, one line each.
	WaitingFor []string
}

// Evaluate weighs what is reported: pure.
func Evaluate(d *store.Data, a netmodel.Allocation) Evidence {
	var e Evidence
	e.add(netmodel.PhaseAllocated, nil, nil)
	for _, step := range []struct {
		phase netmodel.Phase
		weigh func(d *store.Data, a netmodel.Allocation) (agents []netmodel.AgentTime, missing, waiting []string)
	}{
		{netmodel.PhaseConfigured, configured}, {netmodel.PhaseConnected, connected}, {netmodel.PhaseReachable, reachable},
	} {
		agents, missing, waiting := step.weigh(d, a)
		if len(waiting) > 0 {
			e.WaitingFor = waiting
			return e
		}
		e.add(step.phase, agents, missing)
	}
	return e
}

func (e *Evidence) add(phase netmodel.Phase, agents []netmodel.AgentTime, missing []string) {
	slices.SortFunc(agents, func(a, b netmodel.AgentTime) int { return cmp.Compare(a.Switch, b.Switch) })
	e.Reached = append(e.Reached, netmodel.PhaseStamp{Phase: phase, Agents: agents})
	e.Missing = append(e.Missing, missing...)
}

// configured: both leaves read their port back at the intent's present generation.
func configured(d *store.Data, a netmodel.Allocation) (agents []netmodel.AgentTime, missing, waiting []string) {
	for _, p := range a.Ports {
		at := store.Port{Switch: p.Switch, Port: p.Port}
		intent, s := d.Intents.Value(at), d.PortStatuses.Value(at)
		switch {
		case intent.Allocation != a.ID:
			waiting = append(waiting, fmt.Sprintf("the intent of %s %s is not this allocation's yet", p.Switch, p.Port))
		case s.RevertedGeneration == intent.Generation && s.AppliedGeneration != intent.Generation:
			waiting = append(waiting, fmt.Sprintf("%s reverted generation %d of %s: %s", p.Switch, intent.Generation, p.Port, s.Error))
		case s.AppliedGeneration != intent.Generation || s.VRF != intent.VRF:
			line := fmt.Sprintf("%s to apply generation %d of %s", p.Switch, intent.Generation, p.Port)
			if s.Error != "" {
				line += ": " + s.Error
			} else if d.Alive[p.Switch].ModRevision == 0 {
				line += ": it is not live"
			}
			waiting = append(waiting, line)
		default:
			agents = append(agents, netmodel.AgentTime{Switch: p.Switch, Time: s.AppliedTime})
		}
	}
	return agents, nil, waiting
}

// connected: BGP is established on both ports, at the intent's present generation.
func connected(d *store.Data, a netmodel.Allocation) (agents []netmodel.AgentTime, missing, waiting []string) {
	for _, p := range a.Ports {
		at := store.Port{Switch: p.Switch, Port: p.Port}
		intent, s := d.Intents.Value(at), d.Sessions.Value(at)
		if s.Generation != intent.Generation || !s.Established {
			state := "no report at this generation yet"
			if s.Generation == intent.Generation {
				state = s.State
			}
			waiting = append(waiting, fmt.Sprintf("BGP on %s %s (%s)", p.Switch, p.Port, state))
			continue
		}
		agents = append(agents, netmodel.AgentTime{Switch: p.Switch, Time: s.EstablishedTime})
	}
	return agents, nil, waiting
}

// reachable: every live spine holds the routes from both leaves, and every other live leaf with the VRF has them in its kernel.
func reachable(d *store.Data, a netmodel.Allocation) (agents []netmodel.AgentTime, missing, waiting []string) {
	network, _ := d.Network(a.Project, a.Attachments[0].Network)
	switches, vrfs := compiler.Topology(d)
	probes := compile.Probes(a, network.Value, switches, vrfs)
	for _, sw := range slices.Sorted(maps.Keys(probes)) {
		s := d.ProbeStatuses.Value(store.Reported{Switch: sw, Allocation: a.ID})
		reported := s.Generation == a.Generation
		switch {
		case d.Alive[sw].ModRevision == 0:
			missing = append(missing, sw)
		case reported && s.Satisfied:
			agents = append(agents, netmodel.AgentTime{Switch: sw, Time: s.Time})
		case reported && !s.VRFPresent && d.Switches.Value(sw).Role != netmodel.RoleSpine:
			// A leaf whose VRF is still to come has nothing to prove: the allocation that brings it has.
		default:
			waiting = append(waiting, fmt.Sprintf("%s to hold the routes from both leaves", sw))
		}
	}
	return agents, missing, waiting
}

// Stamp adds the phases that the evidence proves and the receipt has not. It reports whether there were any: pure.
func Stamp(r netmodel.Receipt, e Evidence, now time.Time) (netmodel.Receipt, bool) {
	if len(e.Reached) <= len(r.Stamps) {
		return r, false
	}
	r.Stamps = slices.Clone(r.Stamps)
	for _, s := range e.Reached[len(r.Stamps):] {
		s.Time = now
		r.Stamps = append(r.Stamps, s)
	}
	if len(e.Missing) > 0 {
		r.Degraded, r.MissingSwitches = true, e.Missing
	}
	return r, true
}
