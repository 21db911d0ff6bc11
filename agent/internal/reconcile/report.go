package reconcile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// report says what was read back. A generation is called applied only here, and only if nothing is left to do for its port.
func (l *Loop) report(s intent.Snapshot, in plan.Intent, read reading, v verdict) {
	l.mu.Lock()
	reverted := make(reversions, len(l.reverted))
	for port, r := range l.reverted {
		reverted[port] = r
	}
	l.mu.Unlock()
	blindTo := unread(read.observed)
	r := Report{
		Ports: map[string]netmodel.PortStatus{}, Sessions: map[string]WantedSession{}, VRFs: read.observed.Kernel.VRFs,
		Existing: existing(read.facts.Ports), Drift: summary(driftOf(slices.Concat(read.ops, read.tidying))), LastError: strings.Join(v.whole, "; "), ConfigGeneration: l.config.Generation,
		Capabilities: read.facts.Capabilities,
	}
	if blindTo != "" {
		r.LastError = strings.Join(append(v.whole, "could not read "+blindTo), "; ")
	}
	if len(v.whole) == 0 && blindTo == "" {
		l.config = in.Config
		r.ConfigGeneration = in.Config.Generation
	}
	for _, p := range in.Config.Ports {
		if p.Role == netmodel.PortMachine || p.Role == netmodel.PortExternal {
			fault := errors.Join(fault(v.ports[p.Name]), s.Problems[p.Name])
			r.Ports[p.Name] = l.portStatus(p.Name, s, in, read, reverted, fault, blindTo)
			l.wantSession(r, p.Name)
			continue
		}
		r.Sessions[p.Name] = WantedSession{Generation: in.Config.Generation}
	}
	l.publish(r)
}

// maxDrift lines are told; a switch that boots has thousands to do, and the journal has them all.
const maxDrift = 50

func summary(lines []string) []string {
	if len(lines) <= maxDrift {
		return lines
	}
	return append(lines[:maxDrift:maxDrift], fmt.Sprintf("and %d more", len(lines)-maxDrift))
}

func fault(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}

func (l *Loop) portStatus(port string, s intent.Snapshot, in plan.Intent, read reading, reverted reversions, fault error, blindTo string) netmodel.PortStatus {
	wanted, has := in.Ports[port]
	was, known := l.applied[port]
	if has && fault == nil && blindTo == "" && (!known || was.intent.Generation != wanted.Generation) {
		was = appliedPort{intent: wanted, at: time.Now(), received: s.Received[port]}
		l.applied[port] = was
	}
	status := netmodel.PortStatus{Port: port, AppliedGeneration: was.intent.Generation, AppliedTime: was.at, ReceivedTime: was.received}
	if observed, ok := read.observed.Kernel.Ports[port]; ok {
		status.Mode, status.VRF = placeOf(observed, read.observed.Kernel.VRFs)
		status.OperUp = observed.OperUp
	}
	if fault == nil && has && blindTo != "" && was.intent.Generation != wanted.Generation {
		fault = fmt.Errorf("not verified: could not read %s", blindTo)
	}
	if held, ok := reverted[port]; ok {
		status.RevertedGeneration = held.generation
		fault = errors.Join(held, fault)
	}
	if fault != nil {
		status.Error = strings.ReplaceAll(fault.Error(), "\n", "; ")
	}
	return status
}

// wantSession tells of the session of the intent that was read back, not of one that is on its way: a session counts only at the
// generation that it was configured for.
func (l *Loop) wantSession(r Report, port string) {
	if was := l.applied[port].intent; was.Mode == netmodel.ModeVRF {
		r.Sessions[port] = WantedSession{Generation: was.Generation, VRF: was.VRF}
	}
}
