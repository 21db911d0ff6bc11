package reconcile

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	confirmEvery = 200 * time.Millisecond
	askTimeout   = time.Second
)

// watchChange opens a window for a change that is about to be applied.
func (l *Loop) watchChange(c change) {
	if l.cfg.Health == nil || len(c.to) == 0 {
		return
	}
	w := newWindow(c, time.Now().Add(l.cfg.ConfirmWindow), l.cfg.Health.Sessions(), l.cfg.Health.Connected())
	l.mu.Lock()
	l.windows = append(l.windows, w)
	l.mu.Unlock()
	select {
	case l.opened <- struct{}{}:
	default:
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
	var harmful *window
	var worse []string
	for _, w := range slices.Backward(l.windows) { // of several changes, the last is the first suspect
		if found := w.look(now, h); len(found) > 0 && harmful == nil {
			harmful, worse = w, found
		}
	}
	if harmful != nil {
		l.hold(harmful, strings.Join(worse, ", "), now)
	}
	l.windows = slices.DeleteFunc(l.windows, func(w *window) bool { return w == harmful || !w.open(now) })
	open := len(l.windows) > 0
	l.mu.Unlock()
	if harmful != nil {
		l.cfg.Log.Error("reverting a change that did harm", "change", harmful.String(), "harm", strings.Join(worse, ", "))
		l.kicks.kick("reverting "+harmful.String(), urgent)
	}
	return open
}

// hold reverts exactly the ports of one change, unless they have moved on. The caller holds the lock. Other windows give the
// switch time to recover before they are suspected.
func (l *Loop) hold(w *window, why string, now time.Time) {
	for port, before := range w.before {
		if l.snapshot.Intent.Ports[port].Generation == w.to[port] {
			l.reverted[port] = reversion{generation: w.to[port], before: before, why: why}
		}
	}
	for _, other := range l.windows {
		other.lost, other.cut = map[string]time.Time{}, time.Time{}
		if other != w && other.closes.Before(now.Add(3*lossGrace)) {
			other.closes = now.Add(3 * lossGrace)
		}
	}
}
