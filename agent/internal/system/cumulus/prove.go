package cumulus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// proofTimeout is how long ifupdown2 may take: it reads everything, in Python.
	proofTimeout = 2 * time.Minute
	// proofQuiet is how long nothing must have changed: a proof costs seconds of the processor, which the sessions need that a change is
	// for, and the next change outdates it. proofPatience is how long it is put off at most.
	proofQuiet    = 3 * time.Second
	proofPatience = 30 * time.Second
	// proofRetry is when it is asked again if it gave no answer: it was too slow, or is not there.
	proofRetry = time.Minute
	// proofNice leaves it to everybody else for the rest.
	proofNice = "10"
)

// prover has ifupdown2 compare the file with the kernel, beside the passes: a port that moves does not wait for it.
type prover struct {
	// there names the stanzas that the file has: ifquery refuses to compare others.
	there func() []string
	// stanza is the text of one of them, or "".
	stanza func(name string) string
	run    func(ctx context.Context, name string, args ...string) ([]byte, error)
	log    *slog.Logger
	ctx    context.Context
	end    context.CancelFunc
	wg     sync.WaitGroup
	// quiet and patience are proofQuiet and proofPatience, but in tests.
	quiet, patience time.Duration
	// reload is the file's text for which everything was reloaded. Only repair, which is no more than one, knows it.
	reload string

	mu      sync.Mutex
	kick    func(why string)
	busy    bool
	changes int                 // of the kernel, by us
	latest  time.Time           // when there was one, or a proof was asked for
	waiting []string            // to be proven
	bad     map[string][]string // what does not hold, by stanza
}

func newProver(run func(context.Context, string, ...string) ([]byte, error), log *slog.Logger) *prover {
	p := &prover{run: run, log: log, quiet: proofQuiet, patience: proofPatience, bad: map[string][]string{}}
	p.ctx, p.end = context.WithCancel(context.Background())
	return p
}

func (p *prover) close() {
	p.end()
	p.wg.Wait()
}

// tell says whom to wake when a proof fails.
func (p *prover) tell(kick func(why string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kick = kick
}

// forget what was found of an earlier file.
func (p *prover) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.bad)
}

// changed tells that the kernel is another now: what was found of the one before is found anew.
func (p *prover) changed() {
	p.mu.Lock()
	p.changes++
	p.latest = time.Now()
	outdated := slices.Collect(maps.Keys(p.bad))
	clear(p.bad)
	p.mu.Unlock()
	p.prove(outdated)
}

// failed names the stanzas that do not hold.
func (p *prover) failed() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.bad))
}

// prove has stanzas proven once the switch is quiet. What is asked meanwhile is proven together.
func (p *prover) prove(names []string) {
	if len(names) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latest = time.Now()
	p.waiting = append(p.waiting, names...)
	if p.busy || p.ctx.Err() != nil {
		return
	}
	p.busy = true
	p.wg.Go(p.work)
}

func (p *prover) work() {
	for {
		p.awaitQuiet()
		p.mu.Lock()
		slices.Sort(p.waiting)
		names := slices.Compact(p.waiting)
		p.waiting = nil
		if len(names) == 0 || p.ctx.Err() != nil {
			p.busy = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		names = p.thereOf(names)
		err := p.check(p.ctx, names)
		if errors.Is(err, errNoAnswer) && p.ctx.Err() == nil {
			if !errors.Is(err, errOutdated) {
				p.log.Warn("the file is not proven", "err", err)
				p.pause(proofRetry)
			}
			p.mu.Lock()
			p.waiting = append(p.waiting, names...)
			p.mu.Unlock()
			continue
		}
		if err != nil && p.ctx.Err() == nil {
			p.log.Warn("the file is not what the kernel is", "err", err)
			p.mu.Lock()
			kick := p.kick
			p.mu.Unlock()
			if kick != nil {
				kick("ifquery --check")
			}
		}
	}
}

// awaitQuiet waits until nothing has changed for a while.
func (p *prover) awaitQuiet() {
	for end := time.Now().Add(p.patience); p.ctx.Err() == nil; {
		p.mu.Lock()
		until := p.latest.Add(p.quiet)
		p.mu.Unlock()
		if end.Before(until) {
			until = end
		}
		left := time.Until(until)
		if left <= 0 {
			return
		}
		p.pause(left)
	}
}

func (p *prover) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.ctx.Done():
	case <-timer.C:
	}
}

// repair looks once more at stanzas whose proof failed. Where netlink has done all that it was asked and ifupdown2 still disagrees,
// the file says something that netlink does not cover, and everything is reloaded, once for a text.
func (p *prover) repair(ctx context.Context, text string, names []string, whole func() bool) error {
	err := p.check(ctx, names)
	if err == nil || errors.Is(err, errNoAnswer) || p.reload == text || !whole() {
		return err
	}
	p.reload = text
	p.log.Warn("ifreload -a, as ifquery finds what netlink does not cover", "err", err)
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	if out, err := p.run(ctx, "ifreload", "-a"); err != nil {
		return fmt.Errorf("ifreload -a: %w: %s", err, bytes.TrimSpace(out))
	}
	return p.check(ctx, names)
}
