package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

const (
	// rounds of one pass: a change that shows only when another is done is followed at once, but not for ever.
	rounds         = 3
	observeTimeout = 30 * time.Second
)

// reading is a look at the switch, and what follows from it.
type reading struct {
	observed plan.State
	facts    plan.Facts
	assigned plan.Assignments
	problems []plan.Problem
	ops      []plan.Op
	tidying  []plan.Op // what is done as soon as the ports are told: drift until then, and no fault
	took     time.Duration
}

// untidied is the reading before what is tidied up behind the ports.
func (r reading) untidied() reading {
	r.ops, r.tidying = plan.Split(r.ops)
	return r
}

// pass looks, does what is to be done, looks again and reports.
func (l *Loop) pass(ctx context.Context, why []string, u urgency) outcome {
	l.passing.Lock()
	defer l.passing.Unlock()
	started := time.Now()
	snapshot, in := l.inForce()
	if !snapshot.Known() {
		return l.uninstructed(ctx)
	}
	log := l.cfg.Log.With("why", strings.Join(why, ", "))
	read, err := l.look(ctx, in)
	if err != nil {
		return l.blind(log, err)
	}
	// Our own failed attempt kicks, too; its retry has a time of its own.
	waits := u == event && l.failing.same(read.ops)
	did := len(read.ops) > 0 && !waits
	results := l.failing.results
	change := l.changeOf(in)
	l.excuse(change)
	if did {
		l.watchChange(change, snapshot)
		told := func(r reading, done []plan.Result) { l.report(snapshot, in, r, judge(r, done)) }
		if read, results, err = l.act(ctx, log, in, read, told); err != nil {
			return l.blind(log, err)
		}
		log.Debug("pass done", "took", time.Since(started))
	}
	l.keep(read.assigned)
	v := judge(read, results)
	l.report(snapshot, in, read, v)
	if l.cfg.OnPassed != nil {
		l.cfg.OnPassed()
	}
	l.failing.set(read.ops, results)
	switch {
	case len(read.ops) > 0 || unread(read.observed) != "":
		return failed
	case did:
		return changed
	}
	return converged
}

// uninstructed touches nothing: before the first intent, only the ports that there are can be told.
func (l *Loop) uninstructed(ctx context.Context) outcome {
	facts, err := l.cfg.System.Facts(ctx)
	if err != nil {
		return l.blind(l.cfg.Log, fmt.Errorf("read facts: %w", err))
	}
	l.publish(Report{Existing: existing(facts.Ports), Capabilities: facts.Capabilities})
	return converged
}

// inForce returns the snapshot, and its intent with the reverted ports held back.
func (l *Loop) inForce() (intent.Snapshot, plan.Intent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.snapshot
	return s, l.reverted.over(s.Intent)
}

// look observes the switch and plans.
func (l *Loop) look(ctx context.Context, in plan.Intent) (reading, error) {
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	began := time.Now()
	var r reading
	var err error
	if r.observed, err = l.cfg.System.Observe(ctx); err != nil {
		return r, fmt.Errorf("observe: %w", err)
	}
	if !r.observed.Knows(plan.PartLinks) {
		return r, errors.New("observe: links could not be read")
	}
	if r.facts, err = l.cfg.System.Facts(ctx); err != nil {
		return r, fmt.Errorf("read facts: %w", err)
	}
	var desired plan.State
	facts := r.facts.Observing(r.observed, l.kept.Assigned)
	facts.Held = l.holdPorts(ctx, r.observed, in.Config)
	desired, r.assigned, r.problems, err = plan.Desired(in, facts)
	if err != nil {
		return r, fmt.Errorf("plan: %w", err)
	}
	r.ops = plan.Diff(r.observed, desired)
	l.noteCarrier(r.observed, in.Config)
	r.took = time.Since(began)
	return r, nil
}

// act does what is to be done, with the journal ahead of it, and looks again. What ports wait for comes first and is told as soon as it
// was read back: what is tidied up behind them takes as long again.
func (l *Loop) act(ctx context.Context, log *slog.Logger, in plan.Intent, read reading, tell func(reading, []plan.Result)) (reading, []plan.Result, error) {
	var results []plan.Result
	for range rounds {
		before := read
		began := time.Now()
		serving, tidying := plan.Split(read.ops)
		done := l.apply(ctx, serving)
		served := time.Since(began)
		var err error
		if len(serving) > 0 && len(tidying) > 0 {
			if read, err = l.look(ctx, in); err != nil {
				return read, append(results, done...), err
			}
			if !anyFailed(done) {
				tell(read.untidied(), done)
			}
			_, tidying = plan.Split(read.ops)
		}
		tidying, skipped := system.Unblocked(done, tidying)
		done = append(append(done, skipped...), l.apply(ctx, tidying)...)
		took := time.Since(began)
		results = append(results, done...)
		if read, err = l.look(ctx, in); err != nil {
			return read, results, err
		}
		logResults(log, done) // only now: a log on a slow console must not hold up the first step
		log.Info("applied", "steps", len(done), "observed_in", before.took, "served_in", served, "took", took, "read_back_in", read.took, "remaining", len(read.ops))
		if len(read.ops) == 0 || anyFailed(done) || sameOps(before.ops, read.ops) {
			break
		}
	}
	return read, results, nil
}

// apply carries out steps. It has no deadline: one slow step must not skip the rest of the ports.
func (l *Loop) apply(ctx context.Context, ops []plan.Op) []plan.Result {
	if len(ops) == 0 {
		return nil
	}
	l.journal.begin(ops)
	done := l.cfg.System.Apply(context.WithoutCancel(ctx), ops)
	l.journal.end(done)
	l.acted = append(l.acted, done...)
	return done
}

func logResults(log *slog.Logger, results []plan.Result) {
	for _, r := range results {
		if r.Err != nil {
			log.Warn("failed", "op", r.Op.String(), "err", r.Err)
			continue
		}
		lines := strings.Split(r.Op.String(), "\n")
		for _, line := range lines[:len(lines)-1] {
			log.Info("did", "op", line)
		}
		log.Info("did", "op", lines[len(lines)-1], "took", r.Took.Round(time.Microsecond))
	}
}

func anyFailed(results []plan.Result) bool {
	return slices.ContainsFunc(results, func(r plan.Result) bool { return r.Err != nil })
}

func sameOps(a, b []plan.Op) bool { return slices.Equal(driftOf(a), driftOf(b)) }

// changeOf returns the ports that are about to leave an intent that they were read back in.
func (l *Loop) changeOf(in plan.Intent) change {
	c := change{before: map[string]netmodel.PortIntent{}, to: map[string]uint64{}}
	for port, wanted := range in.Ports {
		if was, ok := l.applied[port]; ok && was.intent.Generation != wanted.Generation {
			c.before[port], c.to[port] = was.intent, wanted.Generation
		}
	}
	return c
}

// blind is a pass that could not look: nothing was done, and nothing that was said before is taken back.
func (l *Loop) blind(log *slog.Logger, err error) outcome {
	log.Error("pass without a plan", "err", err)
	r := l.last
	r.LastError = err.Error()
	l.publish(r)
	return failed
}

// noteCarrier notes which ports cannot have a session by no doing of the switch. One that was pulled out has no carrier either.
func (l *Loop) noteCarrier(observed plan.State, config netmodel.SwitchConfig) {
	without := map[string]bool{}
	for _, p := range config.Ports {
		if _, there := observed.Kernel.Ports[p.Name]; !there {
			without[p.Name] = true
		}
	}
	for name, p := range observed.Kernel.Ports {
		if p.Up && !p.OperUp {
			without[name] = true
		}
	}
	l.mu.Lock()
	l.noCarrier = without
	l.mu.Unlock()
}

func (l *Loop) publish(r Report) {
	l.last = r
	if l.cfg.OnReport != nil {
		r.Ports = maps.Clone(r.Ports)
		l.cfg.OnReport(r)
	}
}
