package reconcile

import (
	"context"
	"slices"
	"sync"
	"time"
)

// urgency of a kick.
type urgency int

const (
	event  urgency = iota // the world changed, perhaps by our own doing
	timer                 // time for a retry or a full pass
	urgent                // a new intent, or a daemon that came back empty
)

// kicks coalesces reasons to look. That there is one is all that counts; which it was is for the log.
type kicks struct {
	mu      sync.Mutex
	why     []string
	pending bool
	most    urgency
	wake    chan struct{}
}

const maxReasons = 8

func newKicks() *kicks { return &kicks{wake: make(chan struct{}, 1)} }

func (k *kicks) kick(why string, u urgency) {
	k.mu.Lock()
	if len(k.why) < maxReasons && !slices.Contains(k.why, why) {
		k.why = append(k.why, why)
	}
	k.pending, k.most = true, max(k.most, u)
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *kicks) look() (pending bool, most urgency) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.pending, k.most
}

func (k *kicks) take() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	why := k.why
	k.why, k.pending, k.most = nil, false, event
	return why
}

// next waits for a reason to look: an urgent one at once, an event not before eventsFrom, and the timer at due. ok is false when
// ctx ended.
func (k *kicks) next(ctx context.Context, due, eventsFrom time.Time) (why []string, u urgency, ok bool) {
	for {
		pending, most := k.look()
		now := time.Now()
		switch {
		case ctx.Err() != nil:
			return nil, 0, false
		case pending && (most == urgent || !now.Before(eventsFrom)):
			return k.take(), most, true
		case !now.Before(due):
			return append(k.take(), "time"), timer, true
		case pending && eventsFrom.Before(due):
			k.sleep(ctx, eventsFrom.Sub(now))
		default:
			k.sleep(ctx, due.Sub(now))
		}
	}
}

func (k *kicks) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-k.wake:
	}
}
