package reconcile

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// verdict is what a pass made of a switch, by port and as a whole.
type verdict struct {
	ports map[string]string // why a port is not what it must be
	whole []string          // the same for what is no single port's
}

// judge weighs what was read back: what the planner could not place, what remains to be done, and the errors that say why.
func judge(read reading, results []plan.Result) verdict {
	v := verdict{ports: map[string]string{}}
	blame := func(ports []string, text string) {
		if len(ports) == 0 && !slices.Contains(v.whole, text) {
			v.whole = append(v.whole, text)
		}
		for _, p := range ports {
			if v.ports[p] == "" {
				v.ports[p] = text
			}
		}
	}
	for _, p := range read.problems {
		blame([]string{p.Port}, p.Err.Error())
	}
	remaining := map[string]bool{}
	for _, op := range read.ops {
		remaining[op.String()] = true
	}
	// Causes before those that were skipped for them; of both, only what is still to be done: a step that failed and that the
	// world needs no more is no fault.
	for _, skipped := range []bool{false, true} {
		for _, r := range results {
			if r.Err != nil && errors.Is(r.Err, plan.ErrSkipped) == skipped && stillNeeded(r.Op, remaining) {
				blame(r.Op.Ports(), firstLine(r.Op.String())+": "+r.Err.Error())
			}
		}
	}
	for _, op := range read.ops {
		blame(op.Ports(), "still to do: "+firstLine(op.String()))
	}
	return v
}

// stillNeeded: FRR's steps are regrouped from pass to pass, so one line that remains is enough.
func stillNeeded(op plan.Op, remaining map[string]bool) bool {
	if remaining[op.String()] {
		return true
	}
	failed, ok := op.(plan.ApplyFRR)
	if !ok {
		return false
	}
	for text := range remaining {
		for _, c := range failed.Changes {
			if strings.Contains(text, "frr "+c.String()) {
				return true
			}
		}
	}
	return false
}

func firstLine(s string) string {
	line, rest, more := strings.Cut(s, "\n")
	if more && rest != "" {
		line += " …"
	}
	return line
}

// essential parts must have been read for a port to count as read back.
var essential = []plan.Part{plan.PartLinks, plan.PartRoutes, plan.PartRules, plan.PartFRR}

func unread(s plan.State) string {
	var parts []string
	for _, p := range essential {
		if !s.Knows(p) {
			parts = append(parts, string(p))
		}
	}
	return strings.Join(parts, ", ")
}

// placeOf is where a port stands, as it was read.
func placeOf(p plan.Port, vrfs map[string]plan.VRF) (netmodel.PortMode, string) {
	if _, ok := vrfs[p.Master]; ok {
		return netmodel.ModeVRF, p.Master
	}
	switch {
	case p.Master == plan.BridgeName:
		return netmodel.ModeProvisioning, ""
	case p.Master == "" && !p.Up:
		return netmodel.ModeDisabled, ""
	}
	return "", ""
}

func driftOf(ops []plan.Op) []string {
	var out []string
	for _, op := range ops {
		out = append(out, strings.Split(op.String(), "\n")...)
	}
	return out
}

func existing(ports map[string]plan.PortFacts) []string { return slices.Sorted(maps.Keys(ports)) }
