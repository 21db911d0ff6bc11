package reconcile

import (
	"slices"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// failing remembers what was left to do after the last pass, and why.
type failing struct {
	steps   []string
	results []plan.Result
}

func (f *failing) set(ops []plan.Op, results []plan.Result) {
	f.steps, f.results = driftOf(ops), results
	if len(ops) == 0 {
		f.results = nil
	}
}

// same tells whether these are the steps that have just failed, and nothing new.
func (f *failing) same(ops []plan.Op) bool {
	return len(f.steps) > 0 && slices.Equal(f.steps, driftOf(ops))
}
