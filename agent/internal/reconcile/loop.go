// Package reconcile is the agent's loop: it observes the switch, asks plan what it must be and what to do about the difference,
// has the system do it, observes again, and reports what was read back. It decides when to look and what to make of failures; what
// a switch must be is plan's business, and how it is done is system's. The agent's run command calls it.
//
// The loop is level-triggered: a kick only wakes it, and what it does follows from the observed state and the intent in force. So
// it may be killed at any moment, and its next start goes on from what is there.
package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Config is what a Loop works with.
type Config struct {
	System system.System
	// Health is asked around a change; nil switches the confirmation of changes off.
	Health   Health
	StateDir string
	// ConfirmWindow is how long a change may be reverted, FullPass how often everything is compared without a kick.
	ConfirmWindow, FullPass time.Duration
	// FabricWait is how long after the start ports that are down wait for the sessions of the uplinks before they enter VRFs all the
	// same; 0 means not at all. At the first start after a boot, those that are up go down for it.
	FabricWait time.Duration
	// Boot identifies the switch's present boot.
	Boot string
	// OnPassed, if not nil, is called when a pass has done what could be done for an intent. One that could not look has not.
	OnPassed func()
	// OnReport gets the outcome of every pass. It must not block.
	OnReport func(Report)
	// Meter counts what is done; nil means that nobody counts.
	Meter Meter
	Log   *slog.Logger
}

// Health is what a change may not make worse.
type Health interface {
	// Sessions returns all BGP sessions as last read, without reading.
	Sessions() []netmodel.SessionStatus
	// Underlay asks FRR which sessions of the default VRF are established, and since when, by port.
	Underlay(ctx context.Context) (map[string]time.Time, error)
	// Connected tells, without asking, whether etcd is in reach.
	Connected() bool
	// CutOff asks etcd, and tells whether it is silent: a refusal is an answer, and proves that the network is there.
	CutOff(ctx context.Context) bool
}

// Report is the outcome of a pass.
type Report struct {
	// Ports are the statuses of the machine and external ports of the configuration, by port.
	Ports map[string]netmodel.PortStatus
	// Sessions are those that the switch must have, by port.
	Sessions map[string]WantedSession
	// VRFs that exist, by name.
	VRFs map[string]plan.VRF
	// Existing are the ports that the switch has, sorted.
	Existing []string
	// Capabilities of the switch.
	Capabilities plan.Capabilities
	// Drift is what is still different, a line each.
	Drift []string
	// LastError is what went wrong with the switch as a whole, or "".
	LastError        string
	ConfigGeneration uint64
}

// WantedSession is a BGP session that the switch was configured for at a generation: that of the port's intent, or of the
// switch's configuration for uplinks. VRF is "" for the default one.
type WantedSession struct {
	Generation uint64
	VRF        string
}

// Loop reconciles one switch.
type Loop struct {
	cfg     Config
	kicks   *kicks
	journal *journal

	mu       sync.Mutex // guards what other goroutines set or read
	snapshot intent.Snapshot
	windows  []*window
	trials   []trial
	reverted reversions
	// noCarrier are ports that are up as we want, and yet have no carrier, and those that are not there.
	noCarrier map[string]bool
	opened    chan struct{} // a window was opened

	passing sync.Mutex // held by a pass, and by who must not meet one

	// Only Run's goroutine touches these.
	kept    kept
	applied map[string]appliedPort
	config  netmodel.SwitchConfig // the last one that was read back whole
	failing failing
	last    Report
	started time.Time
	fabric  bool          // was there, or is waited for no more
	holding bool          // ports are held down until then
	acted   []plan.Result // what the present pass did
}

// BetweenPasses calls f while no pass is made: for who changes the switch for a moment, which a pass would take for drift.
func (l *Loop) BetweenPasses(f func()) {
	l.passing.Lock()
	defer l.passing.Unlock()
	f()
}

// appliedPort is the intent that a port was last read back in.
type appliedPort struct {
	intent netmodel.PortIntent
	at     time.Time
	// received is when that generation was read from the store.
	received time.Time
}

// New makes a Loop. It reads what an earlier run kept in the state directory.
func New(cfg Config) (*Loop, error) {
	k, err := readKept(cfg.StateDir)
	if err != nil { // numbers are read off the switch first, so the file is a help and no condition
		cfg.Log.Error("stored assignments are lost", "err", err)
	}
	j, err := openJournal(cfg.StateDir)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if cfg.Meter == nil {
		cfg.Meter = unmetered{}
	}
	l := &Loop{cfg: cfg, kicks: newKicks(), journal: j, kept: k, applied: map[string]appliedPort{}, reverted: k.reversions(), opened: make(chan struct{}, 1)}
	return l, nil
}

// SetIntent puts a snapshot in force and wakes the loop. It does not block.
func (l *Loop) SetIntent(s intent.Snapshot) {
	l.mu.Lock()
	moved := movedOn(l.snapshot, s)
	l.snapshot = s
	for _, w := range l.windows {
		w.excuse(moved)
	}
	l.mu.Unlock()
	l.kicks.kick("intent", urgent)
}

// Kick wakes the loop because the world changed. It does not block.
func (l *Loop) Kick(why string) { l.kicks.kick(why, event) }

// Run reconciles until ctx ends. It leaves the data plane as it is.
func (l *Loop) Run(ctx context.Context) error {
	defer l.journal.close()
	l.started = time.Now()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { l.confirm(ctx) })
	pace := newPace(l.cfg.FullPass, time.Now())
	for {
		why, u, ok := l.kicks.next(ctx, pace.due, pace.eventsFrom)
		if !ok {
			return nil
		}
		began := time.Now()
		o := l.pass(ctx, why, u)
		l.metered(began, o)
		pace.passed(time.Now(), o, u)
		if l.holding {
			pace.soon(time.Now(), fabricPoll)
		}
	}
}
