package conformance

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/pointsman/pointsman/agent/internal/failpoint"
	"github.com/pointsman/pointsman/agent/internal/plan"
)

// long is set where there is time for every step, on any OS.
const long = "POINTSMAN_LONG"

// Sampled is the stride of an OS that takes seconds for each step: n, or 1 where $POINTSMAN_LONG is set.
func Sampled(n int) int {
	if os.Getenv(long) != "" {
		return 1
	}
	return n
}

// restarts kills the agent after the first step of each leg, then after the second (or a stride further), and so on until no leg has so
// many. The next start leads to the same end.
func (r *run) restarts() {
	r.becomes("at first", r.intent(r.tenant(1, red)))
	for killed, limit := true, 1; killed; limit += r.stride {
		killed = false
		for _, l := range r.round() {
			if _, ops := r.agent.Plan(r.T, l.to); limit < failpoint.Steps(ops) {
				killed = true
				done := failpoint.First(ops, limit)
				for _, result := range r.agent.System.Apply(r.Context(), done) {
					if result.Err != nil {
						r.Fatal(result.Err)
					}
				}
				r.undisturbed(l, "killed after "+done[len(done)-1].String())
			}
			r.restart()
			r.arrives(l)
			if r.Failed() {
				r.Fatalf("%s, after a death at step %d", l.name, limit)
			}
		}
	}
}

// arrives ends a leg. What the switch is then, others see at the next look.
func (r *run) arrives(l leg) {
	r.Helper()
	r.agent.Converge(r.T, l.to)
	r.seen = r.expected(l.to)
}

var errBroken = errors.New("broken on purpose")

// failures lets the first write of each leg fail, then the second (or a stride further), and so on. Who does not move must not notice, and
// once writes succeed again, the next pass leads to the end.
func (r *run) failures() {
	r.becomes("at first", r.intent(r.tenant(1, red)))
	for broken, n := true, 0; broken; n += r.stride {
		broken = false
		for _, l := range r.round() {
			_, ops := r.agent.Plan(r.T, l.to)
			if steps := single(ops); n < len(steps) {
				broken = true
				r.failing(l, ops, steps[n])
			}
			r.arrives(l)
			if r.Failed() {
				r.Fatalf("%s, after a failure of step %d", l.name, n+1)
			}
		}
	}
}

func (r *run) failing(l leg, ops []plan.Op, step plan.Op) {
	r.Helper()
	var tried bool
	r.Break(func(op plan.Op) error {
		if op.String() != step.String() {
			return nil
		}
		tried = true
		return errBroken
	})
	results := r.agent.System.Apply(r.Context(), ops)
	r.Break(nil)
	if !tried {
		r.Errorf("%s: %q was planned and not tried", l.name, step)
	}
	told := false
	for _, result := range results {
		told = told || errors.Is(result.Err, errBroken)
		for _, other := range []string{r.p[1], r.p[2], r.uplink} {
			if result.Err != nil && slices.Contains(result.Op.Ports(), other) {
				r.Errorf("%s, %q fails: %s is blamed for it: %v", l.name, step, other, result.Err)
			}
		}
	}
	if !told {
		r.Errorf("%s, %q fails: no result says so", l.name, step)
	}
	r.undisturbed(l, fmt.Sprintf("%q fails", step))
}

// single takes steps of FRR's apart into one for each line.
func single(ops []plan.Op) []plan.Op {
	var out []plan.Op
	for _, op := range ops {
		configure, ok := op.(plan.ApplyFRR)
		if !ok {
			out = append(out, op)
			continue
		}
		for _, c := range configure.Changes {
			out = append(out, configure.Only(c))
		}
	}
	return out
}
