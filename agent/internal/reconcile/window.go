package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

const (
	// lossGrace is how long a session must be away to count: most that go by themselves come back sooner.
	lossGrace = 3 * time.Second
	// cutOffGrace is how long etcd must be silent.
	cutOffGrace = 3 * time.Second
	// restartGrace is how long sessions may be away after a daemon of FRR restarted: it has to be told everything anew. Only once:
	// a change after which it dies again and again is the harm that this is about.
	restartGrace = 15 * time.Second
)

// change is what a pass did because intents changed: what the ports were before, and the generations they were taken to.
type change struct {
	before map[string]netmodel.PortIntent
	to     map[string]uint64
}

func (c change) ports() []string { return slices.Sorted(maps.Keys(c.to)) }

// window is the time in which a change may prove harmful. It is pure: time and health are passed in.
type window struct {
	change
	closes      time.Time
	established []string // ports whose session was up and that the change did not concern
	connected   bool     // to etcd

	lost     map[string]time.Time // since when
	cut      time.Time            // since when etcd is silent
	restarts int                  // of FRR's daemons
	patience time.Time            // until when lost sessions do not count
}

// health is how a switch is at a moment.
type health struct {
	sessions []netmodel.SessionStatus
	// noCarrier are ports that are wanted up and have no carrier. A cable that was pulled, or a machine that was switched off, is
	// not a switch's doing.
	noCarrier map[string]bool
	cutOff    bool
}

func newWindow(c change, closes time.Time, sessions []netmodel.SessionStatus, connected bool) *window {
	w := &window{change: c, closes: closes, connected: connected, lost: map[string]time.Time{}}
	for _, s := range sessions {
		if _, concerned := c.to[s.Port]; !concerned && s.Established {
			w.established = append(w.established, s.Port)
		}
	}
	return w
}

// excuse forgets the sessions of ports that a later change concerns: a machine that is released meanwhile is no harm.
func (w *window) excuse(later change) {
	w.established = slices.DeleteFunc(w.established, func(port string) bool {
		_, moved := later.to[port]
		if moved {
			delete(w.lost, port)
		}
		return moved
	})
}

// look takes in the health at a moment and returns what has been worse than before for long enough to count.
func (w *window) look(now time.Time, h health) []string {
	var worse []string
	for _, port := range w.established {
		if !lost(port, h) {
			delete(w.lost, port)
			continue
		}
		if _, known := w.lost[port]; !known {
			w.lost[port] = now
		}
		if now.Sub(w.lost[port]) >= lossGrace && !now.Before(w.patience) {
			worse = append(worse, "session on "+port+" lost")
		}
	}
	switch {
	case !w.connected || !h.cutOff:
		w.cut = time.Time{}
	case w.cut.IsZero():
		w.cut = now
	case now.Sub(w.cut) >= cutOffGrace:
		worse = append(worse, "etcd out of reach")
	}
	return worse
}

// restarted takes in that a daemon of FRR came back. What it lost is not counted for a while.
func (w *window) restarted(now time.Time) {
	if w.restarts++; w.restarts > 1 {
		w.patience = now
		return
	}
	w.patience = now.Add(restartGrace)
	w.extend(w.patience.Add(lossGrace))
}

func (w *window) extend(to time.Time) {
	if w.closes.Before(to) {
		w.closes = to
	}
}

// unhelped tells, of a change that was reverted, whether what it was blamed for is as bad as before.
func (w *window) unhelped(h health) bool {
	for port := range w.lost {
		if lost(port, h) {
			return true
		}
	}
	return !w.cut.IsZero() && h.cutOff
}

// lost tells whether a session is away by the switch's own doing, as far as can be told: not if its cable is, and not if the
// peer said goodbye.
func lost(port string, h health) bool {
	if h.noCarrier[port] {
		return false
	}
	for _, s := range h.sessions {
		if s.Port == port {
			return !s.Established && !saidGoodbye(s.LastResetReason)
		}
	}
	return true
}

// saidGoodbye knows FRR's words for a session that the peer ended (bgpd's peer_down_str).
func saidGoodbye(reason string) bool {
	return strings.Contains(reason, "Notification received") || strings.Contains(reason, "NOTIFICATION received") || strings.Contains(reason, "Peer closed")
}

// open tells whether the window still watches at a moment. A loss that began in time is watched to its end.
func (w *window) open(now time.Time) bool {
	return now.Before(w.closes) || len(w.lost) > 0 && now.Before(w.closes.Add(lossGrace)) || !w.cut.IsZero() && now.Before(w.closes.Add(cutOffGrace))
}

func (w *window) String() string {
	var out []string
	for _, port := range w.ports() {
		out = append(out, fmt.Sprintf("%s at generation %d", port, w.to[port]))
	}
	return strings.Join(out, ", ")
}
