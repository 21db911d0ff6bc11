package reconcile

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pointsman/pointsman/agent/internal/intent"
)

const (
	confirmEvery = 200 * time.Millisecond
	askTimeout   = time.Second
)

// watchChange opens a window for a change, of a snapshot, that is about to be applied.
func (l *Loop) watchChange(c change, of intent.Snapshot) {
	if l.cfg.Health == nil || len(c.to) == 0 {
		return
	}
	w := newWindow(c, time.Now().Add(l.cfg.ConfirmWindow), l.cfg.Health.Sessions(), l.cfg.Health.Connected())
	l.mu.Lock()
	w.excuse(movedOn(of, l.snapshot))
	l.windows = append(l.windows, w)
	l.mu.Unlock()
	select {
	case l.opened <- struct{}{}:
	default:
	}
}

// movedOn are the ports whose own intents moved on from one snapshot to another. Their sessions may go before this switch has done its part, as the
// machine is told, too, and a busy switch is not that fast.
func movedOn(from, to intent.Snapshot) change {
	c := change{to: map[string]uint64{}}
	for port, now := range to.Intent.Ports {
		if before, known := from.Intent.Ports[port]; known && before.Generation != now.Generation {
			c.to[port] = now.Generation
		}
	}
	for port := range from.Intent.Ports {
		if _, still := to.Intent.Ports[port]; !still {
			c.to[port] = 0
		}
	}
	return c
}

// excuse tells open windows that the sessions of some ports go because they are changed.
func (l *Loop) excuse(c change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.windows {
		w.excuse(c)
	}
}

// confirm watches open windows beside the loop, until ctx ends.
func (l *Loop) confirm(ctx context.Context) {
	ticker := time.NewTicker(confirmEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.opened:
		}
		for l.confirmOnce(ctx) {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}
}

// confirmOnce looks once and tells whether windows are still open.
func (l *Loop) confirmOnce(ctx context.Context) bool {
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	h := health{sessions: l.cfg.Health.Sessions(), cutOff: l.cfg.Health.CutOff(asking)}
	if ctx.Err() != nil {
		return false
	}
	now := time.Now()
	l.mu.Lock()
	h.noCarrier = maps.Clone(l.noCarrier)
	harmful, worse := l.suspect(now, h)
	if harmful != nil {
		l.hold(harmful, worse, now)
	}
	l.windows = slices.DeleteFunc(l.windows, func(w *window) bool { return w == harmful || !w.open(now) })
	blameless := l.acquit(now, h)
	open := len(l.windows)+len(l.trials) > 0
	l.mu.Unlock()
	if harmful != nil {
		l.cfg.Meter.Reverted()
		l.cfg.Log.Error("reverting a change that did harm", "change", harmful.String(), "harm", worse)
		l.kicks.kick("reverting "+harmful.String(), urgent)
	}
	for _, w := range blameless {
		l.cfg.Log.Warn("reverting did not help, so the change was not the cause; applying it again", "change", w.String())
		l.kicks.kick("applying again "+w.String(), urgent)
	}
	return open
}

// suspect returns the window whose change is to be reverted, if there is one: of several, the last. The caller holds the lock.
func (l *Loop) suspect(now time.Time, h health) (harmful *window, worse string) {
	for _, w := range slices.Backward(l.windows) {
		if found := w.look(now, h); len(found) > 0 && harmful == nil {
			harmful, worse = w, strings.Join(found, ", ")
		}
	}
	return harmful, worse
}

// trial is a reverted change whose reversion has to prove that it helps.
type trial struct {
	*window
	until time.Time
}

// acquit ends the trials that are over. Where nothing became better, the change is put in force again: it would otherwise stay
// reverted for what a cable or another switch did. The caller holds the lock.
func (l *Loop) acquit(now time.Time, h health) []*window {
	var blameless []*window
	l.trials = slices.DeleteFunc(l.trials, func(t trial) bool {
		if now.Before(t.until) {
			return false
		}
		if t.unhelped(h) {
			for port, generation := range t.to {
				if l.reverted[port].generation == generation {
					delete(l.reverted, port)
				}
			}
			blameless = append(blameless, t.window)
		}
		return true
	})
	return blameless
}

// hold reverts exactly the ports of one change, unless they have moved on. The caller holds the lock. Other windows give the
// switch time to recover before they are suspected.
func (l *Loop) hold(w *window, why string, now time.Time) {
	for port, before := range w.before {
		if l.snapshot.Intent.Ports[port].Generation == w.to[port] {
			l.reverted[port] = reversion{generation: w.to[port], before: before, why: why}
		}
	}
	l.trials = append(l.trials, trial{w, now.Add(l.cfg.ConfirmWindow + lossGrace)})
	for _, other := range l.windows {
		if other != w {
			other.lost, other.cut = map[string]time.Time{}, time.Time{}
			other.extend(now.Add(2 * lossGrace))
		}
	}
}

// Restarted tells that a daemon of FRR came back and has forgotten what it was told.
func (l *Loop) Restarted(why string) {
	l.mu.Lock()
	for _, w := range l.windows {
		w.restarted(time.Now())
	}
	l.mu.Unlock()
	l.kicks.kick(why, urgent)
}
