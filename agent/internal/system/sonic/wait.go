package sonic

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Waits look, and look again when something changed: Redis tells of that where keyspace notifications are on, and a look now and then
// catches what is told by nobody, such as the kernel's devices.
const (
	firstLook = 5 * time.Millisecond
	// toldLook and blindLook are how far looks grow apart, with notifications and without.
	toldLook  = 500 * time.Millisecond
	blindLook = 100 * time.Millisecond
)

// changes wakes whoever waits.
type changes struct {
	mu   sync.Mutex
	next chan struct{}
	told bool
}

func newChanges() *changes { return &changes{next: make(chan struct{})} }

// happened wakes all that wait now.
func (c *changes) happened() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.next)
	c.next = make(chan struct{})
}

// after returns what is closed at the next change, and whether changes are told of at all.
func (c *changes) after() (<-chan struct{}, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next, c.told
}

// await looks until nothing is missing. look says what is, or "". An error of looking counts as something missing: Redis may restart
// meanwhile. It gives up after limit, and says what was missing to the end.
func (c *changes) await(ctx context.Context, limit time.Duration, look func(context.Context) (missing string, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	pause, last := firstLook, ""
	for {
		changed, told := c.after() // before looking: what happens in between must wake us
		missing, err := look(ctx)
		if err == nil && missing == "" {
			return nil
		}
		switch {
		case missing != "":
			last = missing
		case ctx.Err() == nil: // the last look is cut short by the end itself
			last = err.Error()
		}
		farthest := blindLook
		if told {
			farthest = toldLook
		}
		pause = min(pause*2, farthest)
		timer := time.NewTimer(pause)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return gaveUp(ctx, limit, cmp.Or(last, "nothing could be looked at"))
		}
		timer.Stop()
	}
}

// TimeoutError is a wait that ended in vain.
type TimeoutError struct {
	Limit   time.Duration
	Missing string
}

func (e *TimeoutError) Error() string { return fmt.Sprintf("after %v, %s", e.Limit, e.Missing) }

func gaveUp(ctx context.Context, limit time.Duration, missing string) error {
	if !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return ctx.Err()
	}
	return &TimeoutError{limit, missing}
}
