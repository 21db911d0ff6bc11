package reconcile

import (
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// Meter counts what a loop does. Its methods are called from any goroutine and must not block.
type Meter interface {
	Passed(Passed)
	// Reverted counts a change that was taken back because it did harm.
	Reverted()
}

// Passed is a pass that is over.
type Passed struct {
	// Outcome is converged, changed or failed.
	Outcome string
	Took    time.Duration
	// Results of all steps, in order.
	Results []plan.Result
}

type unmetered struct{}

func (unmetered) Passed(Passed) {}
func (unmetered) Reverted()     {}

func (l *Loop) metered(began time.Time, o outcome) {
	l.cfg.Meter.Passed(Passed{Outcome: o.String(), Took: time.Since(began), Results: l.acted})
	l.acted = nil
}

// String is the outcome's word.
func (o outcome) String() string {
	switch o {
	case converged:
		return "converged"
	case changed:
		return "changed"
	default:
		return "failed"
	}
}
