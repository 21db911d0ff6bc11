package system

import (
	"errors"
	"fmt"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/frr"
)

// Executor carries out single steps.
type Executor interface {
	// Do carries out a step of the kernel or of a file. It is idempotent.
	Do(op plan.Op) error
	// Configure sends changes to FRR, in order, and returns what became of each.
	Configure(changes []frr.Change) []error
}

// Run carries out ops in order. What relies on a failed step is skipped and says why; everything else goes on. An FRR step of
// which only a part failed gives a result for the rest and one for each failed change.
func Run(ops []plan.Op, do Executor) []plan.Result {
	r := run{do: do, failed: map[plan.Thing]error{}}
	for _, op := range ops {
		if configure, ok := op.(plan.ApplyFRR); ok {
			r.configure(configure)
		} else {
			r.step(op)
		}
	}
	return r.results
}

type run struct {
	do      Executor
	failed  map[plan.Thing]error
	results []plan.Result
	took    time.Duration // by the step at hand
}

func (r *run) step(op plan.Op) {
	needs, marks := plan.Links(op)
	start := time.Now()
	err := r.blocked(needs)
	if err == nil {
		err = r.do.Do(op)
	}
	r.took = time.Since(start)
	r.finish(op, err, marks)
}

func (r *run) configure(op plan.ApplyFRR) {
	var ready []frr.Change
	for _, c := range op.Changes {
		needs, marks := plan.ChangeLinks(c)
		if err := r.blocked(needs); err != nil {
			r.finish(op.Only(c), err, marks)
			continue
		}
		ready = append(ready, c)
	}
	if len(ready) == 0 {
		return
	}
	var done []frr.Change
	start := time.Now()
	errs := r.do.Configure(ready)
	r.took = time.Since(start)
	for i, err := range errs {
		if err == nil {
			done = append(done, ready[i])
			continue
		}
		_, marks := plan.ChangeLinks(ready[i])
		r.finish(op.Only(ready[i]), err, marks)
	}
	if len(done) > 0 {
		r.finish(op.Only(done...), nil, nil)
	}
}

// blocked tells why a step that needs these things cannot be tried.
func (r *run) blocked(needs []plan.Thing) error {
	for _, n := range needs {
		if cause, ok := r.failed[n]; ok {
			return fmt.Errorf("%w, as %w", plan.ErrSkipped, cause)
		}
	}
	return nil
}

func (r *run) finish(op plan.Op, err error, marks []plan.Thing) {
	r.results = append(r.results, plan.Result{Op: op, Err: err, Took: r.took})
	if err == nil {
		return
	}
	cause := err
	if !errors.Is(err, plan.ErrSkipped) {
		cause = fmt.Errorf("%q failed: %w", op, err)
	}
	for _, m := range marks {
		if _, known := r.failed[m]; !known {
			r.failed[m] = cause
		}
	}
}
