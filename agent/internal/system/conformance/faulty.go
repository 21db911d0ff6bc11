package conformance

import (
	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/pkg/frr"
)

type faulty struct {
	system.Executor
	fail func(plan.Op) error
}

// Do implements system.Executor.
func (f faulty) Do(op plan.Op) error {
	if err := f.fail(op); err != nil {
		return err
	}
	return f.Executor.Do(op)
}

// Configure implements system.Executor. What does not fail goes to FRR in one batch, as ever.
func (f faulty) Configure(changes []frr.Change) []error {
	errs := make([]error, len(changes))
	var rest []frr.Change
	var places []int
	for i, c := range changes {
		if errs[i] = f.fail(plan.ApplyFRR{Changes: []frr.Change{c}}); errs[i] == nil {
			rest, places = append(rest, c), append(places, i)
		}
	}
	if len(rest) == 0 {
		return errs
	}
	for i, err := range f.Executor.Configure(rest) {
		errs[places[i]] = err
	}
	return errs
}
