package reconcile

import (
	"math/rand/v2"
	"time"
)

// How often the loop looks. A single event is answered at once; what follows it closely waits a moment and becomes one pass.
const (
	minSpacing = 20 * time.Millisecond
	maxSpacing = 2 * time.Second // while somebody undoes what we do as soon as we do it
	minRetry   = 500 * time.Millisecond
	maxRetry   = 30 * time.Second
)

// outcome of a pass.
type outcome int

const (
	converged outcome = iota // nothing was to be done
	changed                  // something was done, and nothing is left
	failed                   // something is left
)

// pace decides when the loop may and must look again. Time is passed in.
type pace struct {
	fullPass time.Duration
	spacing  time.Duration
	retry    time.Duration // 0 while nothing is left to be done
	// due is when to look without any kick; eventsFrom is when to look because of an event.
	due, eventsFrom time.Time
}

func newPace(fullPass time.Duration, now time.Time) *pace {
	return &pace{fullPass: fullPass, spacing: minSpacing, due: now.Add(fullPass), eventsFrom: now}
}

// passed takes in how a pass that ended now came out.
func (p *pace) passed(now time.Time, o outcome, u urgency) {
	switch {
	case o == converged:
		p.spacing = minSpacing
	case u == event: // drift that comes back as soon as it is mended
		p.spacing = min(p.spacing*2, maxSpacing)
	}
	p.eventsFrom = now.Add(p.spacing)
	if o != failed {
		p.retry = 0
		p.due = now.Add(p.fullPass*9/10 + rand.N(p.fullPass/5))
		return
	}
	switch {
	case p.retry == 0 || u == urgent:
		p.retry, p.due = minRetry, now.Add(minRetry)
	case u == timer:
		p.retry = min(p.retry*2, maxRetry)
		p.due = now.Add(p.retry)
	} // an event that found the same failure does not put the retry off
}

// soon has the loop look again within a time, without any kick.
func (p *pace) soon(now time.Time, within time.Duration) {
	if at := now.Add(within); at.Before(p.due) {
		p.due = at
	}
}
