package conformance

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
)

// Agent plans and applies as the agent's loop does, without its patience: one pass must do.
type Agent struct {
	System system.System
	// Stored are the numbers that it keeps over restarts.
	Stored plan.Assignments
}

// Plan observes and compares. Only these ports may be ones that cannot be what their intents ask.
func (a *Agent) Plan(t *testing.T, intent plan.Intent, faulty ...string) (want plan.State, ops []plan.Op) {
	t.Helper()
	want, _, ops = a.look(t, intent, faulty)
	return want, ops
}

func (a *Agent) look(t *testing.T, intent plan.Intent, faulty []string) (plan.State, plan.Assignments, []plan.Op) {
	t.Helper()
	observed := a.observe(t)
	facts, err := a.System.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want, assigned, problems, err := plan.Desired(intent, facts.Observing(observed, a.Stored))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !slices.Contains(faulty, p.Port) {
			t.Fatal(p)
		}
	}
	return want, assigned, plan.Diff(observed, want)
}

func (a *Agent) observe(t *testing.T) plan.State {
	t.Helper()
	observed, err := a.System.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(observed.Unknown) > 0 {
		t.Fatalf("unknown: %v", observed.Unknown)
	}
	return observed
}

// Converge leads the switch to an intent in one pass, and compares what it is then with what was wanted.
func (a *Agent) Converge(t *testing.T, intent plan.Intent, faulty ...string) []plan.Op {
	t.Helper()
	want, assigned, ops := a.look(t, intent, faulty)
	a.Stored = assigned
	for _, r := range a.System.Apply(t.Context(), ops) {
		if r.Err != nil {
			t.Error(r.Err)
		}
	}
	got := a.observe(t)
	if rest := plan.Diff(got, want); len(rest) > 0 {
		t.Errorf("a second pass has work: %v", rest)
	}
	if diff := cmp.Diff(want.Kernel, asWanted(got.Kernel, want.Kernel), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("the switch is not as desired (-want +got):\n%s", diff)
	}
	return ops
}

// asWanted leaves out what is observed and never desired.
func asWanted(got, want plan.Kernel) plan.Kernel {
	for name, p := range got.Ports {
		p.OperUp = false
		got.Ports[name] = p
	}
	for p, owner := range got.Loopback {
		if _, wanted := want.Loopback[p]; wanted {
			got.Loopback[p] = plan.Ours
		} else if owner == plan.Foreign {
			delete(got.Loopback, p)
		}
	}
	for path := range got.Sysctls {
		if _, wanted := want.Sysctls[path]; !wanted {
			delete(got.Sysctls, path)
		}
	}
	return got
}
