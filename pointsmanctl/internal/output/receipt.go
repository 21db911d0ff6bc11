package output

import (
	"fmt"
	"strings"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// LastPhase is the stamp of the phase that an allocation has reached, or nil.
func LastPhase(r *apiv1.Receipt) *apiv1.PhaseStamp {
	var last *apiv1.PhaseStamp
	for _, s := range r.GetPhases() {
		if s.GetPhase() > last.GetPhase() {
			last = s
		}
	}
	return last
}

// stamp is a phase beside the one before it.
type stamp struct {
	*apiv1.PhaseStamp
	previous *apiv1.PhaseStamp
}

var stampColumns = []column[stamp]{
	{"PHASE", false, func(s stamp) string { return Word(s.GetPhase()) }},
	{"ELAPSED", false, func(s stamp) string { return milliseconds(s.GetElapsedMs()) }},
	{"DELTA", false, func(s stamp) string {
		if s.previous == nil {
			return none
		}
		return milliseconds(s.GetElapsedMs() - s.previous.GetElapsedMs())
	}},
	{"SLOWEST SWITCH", false, slowest},
	{"TIME", true, func(s stamp) string { return s.GetTime().AsTime().Format("2006-01-02T15:04:05.000Z07:00") }},
	{"SWITCHES BY THEIR CLOCKS", true, agents},
}

// Receipt writes how far an allocation has come, in milliseconds since it was committed.
func (p Printer) Receipt(r *apiv1.Receipt) error {
	if done, err := p.structured(r); done {
		return err
	}
	var rows []stamp
	for i, s := range r.GetPhases() {
		row := stamp{PhaseStamp: s}
		if i > 0 {
			row.previous = r.GetPhases()[i-1]
		}
		rows = append(rows, row)
	}
	if err := writeTable(p.Out, p.Format == Wide, rows, stampColumns); err != nil {
		return err
	}
	if r.GetDegraded() {
		fmt.Fprintf(p.Out, "degraded: not waited for %s\n", joined(r.GetMissingSwitches()))
	}
	for _, w := range r.GetWaitingFor() {
		fmt.Fprintf(p.Out, "waiting for: %s\n", w)
	}
	return nil
}

// Reached says in one line that a phase is reached.
func Reached(s *apiv1.PhaseStamp) string {
	line := fmt.Sprintf("%-10s %10s", Word(s.GetPhase()), milliseconds(s.GetElapsedMs()))
	if sw := slowest(stamp{PhaseStamp: s}); sw != none {
		line += "   last: " + sw
	}
	return line
}

// slowest is the switch whose evidence came last, by the switches' own clocks.
func slowest(s stamp) string {
	var last *apiv1.AgentTime
	for _, a := range s.GetAgents() {
		if last == nil || a.GetTime().AsTime().After(last.GetTime().AsTime()) {
			last = a
		}
	}
	return text(last.GetSwitch())
}

func agents(s stamp) string {
	var out []string
	for _, a := range s.GetAgents() {
		out = append(out, fmt.Sprintf("%s %s", a.GetSwitch(), a.GetTime().AsTime().Format("15:04:05.000")))
	}
	return text(strings.Join(out, ", "))
}
