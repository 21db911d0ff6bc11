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
	r.all(ops)
	return r.results
}

// Unblocked returns the steps that rely on none of those that have failed before, and results for the others, as Run would give them.
func Unblocked(before []plan.Result, ops []plan.Op) (free []plan.Op, skipped []plan.Result) {
	r := run{do: nothing{}, failed: map[plan.Thing]error{}}
	for _, result := range before {
		if result.Err != nil {
			r.mark(result.Op, result.Err, marks(result.Op))
		}
	}
	r.all(ops)
	for _, result := range r.results {
		if result.Err == nil {
			free = append(free, result.Op)
		} else {
			skipped = append(skipped, result)
		}
	}
	return free, skipped
}

// marks are the things that a failed step leaves doubtful.
func marks(op plan.Op) []plan.Thing {
	_, out := plan.Links(op)
	if o, ok := op.(plan.ApplyFRR); ok {
		for _, c := range o.Changes {
			_, more := plan.ChangeLinks(c)
			out = append(out, more...)
		}
	}
	return out
}

// nothing carries out every step by doing nothing.
type nothing struct{}

func (nothing) Do(plan.Op) error                       { return nil }
func (nothing) Configure(changes []frr.Change) []error { return make([]error, len(changes)) }

type run struct {
	do      Executor
	failed  map[plan.Thing]error
	results []plan.Result
	took    time.Duration // by the step at hand
}

func (r *run) all(ops []plan.Op) {
	for _, op := range ops {
		if configure, ok := op.(plan.ApplyFRR); ok {
			r.configure(configure)
		} else {
			r.step(op)
		}
	}
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
	if err != nil {
		r.mark(op, err, marks)
	}
}

// mark remembers what failed, and why.
func (r *run) mark(op plan.Op, err error, marks []plan.Thing) {
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
