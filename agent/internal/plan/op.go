// Package plan decides what a switch must be and what to do about the difference. It is pure: facts come in as values, and
// what comes out is data. The reconcile package calls it; the system packages carry out its operations.
package plan

import (
	"strings"
	"time"

	"github.com/pointsman/pointsman/pkg/frr"
)

// Op is one step of a plan: data that says what it does, for logs, dry runs, tests and the journal alike.
type Op interface {
	// String reads like a sentence: "add vrf Vrf104001 table 1001".
	String() string
	// Ports names the ports for which a failure of this step counts; none means the whole switch.
	Ports() []string
}

// ApplyFRR sends changes of one stage to FRR, in order.
type ApplyFRR struct {
	Changes []frr.Change
	// VRFPorts are the ports in the VRFs of changes that are for a VRF as a whole.
	VRFPorts map[string][]string
}

func (o ApplyFRR) String() string {
	var lines []string
	for _, c := range o.Changes {
		lines = append(lines, "frr "+c.String())
	}
	return strings.Join(lines, "\n")
}

// Ports implements Op.
func (o ApplyFRR) Ports() []string {
	var out []string
	seen := map[string]bool{}
	for _, c := range o.Changes {
		ports := o.VRFPorts[c.VRF]
		if c.Port != "" {
			ports = []string{c.Port}
		}
		for _, p := range ports {
			if !seen[p] {
				seen[p] = true
				out = append(out, p)
			}
		}
	}
	return out
}

// Only returns the same step for some of its changes.
func (o ApplyFRR) Only(changes ...frr.Change) ApplyFRR {
	return ApplyFRR{Changes: changes, VRFPorts: o.VRFPorts}
}

// Result is what became of one step.
type Result struct {
	Op  Op
	Err error
	// Took is how long it took; of an FRR step, the whole of it.
	Took time.Duration
}
