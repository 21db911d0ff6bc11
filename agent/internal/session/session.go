// Package session follows the BGP sessions of a switch: it reads them from FRR, quickly while one is wanted that is not up, and says
// to which generation of the intent each belongs. It configures nothing. The agent's run command wires it between FRR, the
// reconcile loop, which says what is wanted and asks for health, and the status writer.
package session

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// How often sessions are read. FRR has no events for its clients, so what matters is read often, and only as long as it matters.
const (
	hurried = 150 * time.Millisecond
	waiting = 300 * time.Millisecond
	idle    = time.Second
	// hurry is how long after a change or an event sessions are read hurriedly, waitFor how long those that are down are waited
	// for. A machine that is switched off must not cost a read five times a second for ever.
	hurry   = 5 * time.Second
	waitFor = time.Minute
)

// Wanted is a session that the switch was configured for at a generation. VRF is "" for the default one.
type Wanted struct {
	Generation uint64
	VRF        string
}

// Monitor follows sessions.
type Monitor struct {
	read     func(context.Context) ([]frr.Session, error)
	onChange func(map[string]netmodel.SessionStatus)
	log      *slog.Logger
	wake     chan struct{}

	mu     sync.Mutex
	wanted map[string]Wanted
	told   bool // wanted was set
	event  time.Time
	seen   map[string]netmodel.SessionStatus
}

// New makes a Monitor of what read returns. onChange gets all wanted sessions by port whenever one changed; it must not block.
func New(read func(context.Context) ([]frr.Session, error), onChange func(map[string]netmodel.SessionStatus), log *slog.Logger) *Monitor {
	return &Monitor{read: read, onChange: onChange, log: log, wake: make(chan struct{}, 1), wanted: map[string]Wanted{}, seen: map[string]netmodel.SessionStatus{}}
}

// Want says which sessions there must be, by port.
func (m *Monitor) Want(wanted map[string]Wanted) {
	m.mu.Lock()
	same := m.told && maps.Equal(m.wanted, wanted)
	m.wanted, m.told = wanted, true
	m.mu.Unlock()
	if !same {
		m.Kick()
	}
}

// Kick makes the monitor look at once, and hurry for a while: a link changed, a daemon restarted.
func (m *Monitor) Kick() {
	m.mu.Lock()
	m.event = time.Now()
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Sessions returns the wanted sessions as last read.
func (m *Monitor) Sessions() []netmodel.SessionStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.seen))
}

// Run reads until ctx ends.
func (m *Monitor) Run(ctx context.Context) error {
	said := ""
	for ctx.Err() == nil {
		began := time.Now()
		said = m.say(m.once(ctx), said)
		// Reading takes longer the more VRFs there are; it gets a fifth of bgpd's time at most.
		t := time.NewTimer(max(m.interval(time.Now()), 4*time.Since(began)))
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-m.wake:
		}
		t.Stop()
	}
	return nil
}

// say logs an error once, until it is over or another.
func (m *Monitor) say(err error, said string) string {
	if err == nil {
		return ""
	}
	if text := err.Error(); text != said {
		m.log.Warn("BGP sessions are unknown", "err", err)
		return text
	}
	return said
}

func (m *Monitor) interval(now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	age := now.Sub(m.event)
	up := true
	for port := range m.wanted {
		up = up && m.seen[port].Established
	}
	switch {
	case age < hurry && !up:
		return hurried
	case age < hurry, age < waitFor && !up:
		return waiting
	}
	return idle
}

// once reads all sessions and reports. What was wanted before the read is what the answer is for: a session that was read before a
// change must not count for it. A failed read changes nothing that was said: unknown is not down.
func (m *Monitor) once(ctx context.Context) error {
	m.mu.Lock()
	wanted, told := m.wanted, m.told
	m.mu.Unlock()
	if !told {
		return nil
	}
	sessions, err := m.read(ctx)
	if err != nil {
		return err
	}
	now := statuses(wanted, sessions)
	m.mu.Lock()
	changed := !maps.EqualFunc(m.seen, now, same)
	m.seen = now
	m.mu.Unlock()
	if changed {
		m.onChange(maps.Clone(now))
	}
	return nil
}

func same(a, b netmodel.SessionStatus) bool { return a == b }

// statuses pairs what is wanted with what was read.
func statuses(wanted map[string]Wanted, read []frr.Session) map[string]netmodel.SessionStatus {
	type place struct{ vrf, port string }
	found := map[place]frr.Session{}
	for _, s := range read {
		found[place{s.VRF, s.Interface}] = s
	}
	out := map[string]netmodel.SessionStatus{}
	for port, w := range wanted {
		status := netmodel.SessionStatus{Port: port, Generation: w.Generation, VRF: w.VRF, State: "not configured"}
		if s, ok := found[place{w.VRF, port}]; ok {
			status.State, status.Established, status.PeerASN = s.State, s.Established, s.RemoteAS
			status.EstablishedTime, status.LastResetReason = s.EstablishedTime, s.LastResetReason
			if w.VRF != "" { // that of an uplink changes on every switch with every allocation anywhere, and each would write it
				status.PrefixesReceived = s.PrefixesReceived
			}
		}
		out[port] = status
	}
	return out
}
