package cumulus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// proofTimeout is how long ifupdown2 may take: it reads everything, in Python.
	proofTimeout = 2 * time.Minute
	// proofDelay gathers what changes together, and leaves the switch's processor to the sessions that the change is for.
	proofDelay = 500 * time.Millisecond
	// proofNice leaves it to everybody else for the rest.
	proofNice = "10"
)

// prover has ifupdown2 compare the file with the kernel, beside the passes: a port that moves does not wait for it.
type prover struct {
	run func(ctx context.Context, name string, args ...string) ([]byte, error)
	log *slog.Logger
	ctx context.Context
	end context.CancelFunc
	wg  sync.WaitGroup
	// reload is the file's text for which everything was reloaded. Only repair, which is no more than one, knows it.
	reload string

	mu      sync.Mutex
	kick    func(why string)
	busy    bool
	waiting []string            // to be proven
	bad     map[string][]string // what does not hold, by stanza
}

func newProver(run func(context.Context, string, ...string) ([]byte, error), log *slog.Logger) *prover {
	p := &prover{run: run, log: log, bad: map[string][]string{}}
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

// failed names the stanzas that do not hold.
func (p *prover) failed() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.bad))
}

// prove has stanzas proven soon. What is asked meanwhile is proven together.
func (p *prover) prove(names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = append(p.waiting, names...)
	if p.busy || len(p.waiting) == 0 || p.ctx.Err() != nil {
		return
	}
	p.busy = true
	p.wg.Go(p.work)
}

func (p *prover) work() {
	for {
		select {
		case <-p.ctx.Done():
		case <-time.After(proofDelay):
		}
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
		if err := p.check(p.ctx, names); err != nil && p.ctx.Err() == nil {
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

// check asks ifquery, and notes and returns what does not hold.
func (p *prover) check(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	out, err := p.run(ctx, "ifquery", append([]string{"--check"}, names...)...)
	bad := map[string][]string{}
	if err != nil {
		bad = failures(out)
		if len(bad) == 0 {
			bad[names[0]] = []string{strings.TrimSpace(err.Error() + " " + string(out))}
		}
	}
	p.mu.Lock()
	for _, name := range names {
		delete(p.bad, name)
	}
	var errs []error
	for _, name := range names {
		if why, failed := bad[name]; failed {
			p.bad[name] = why
			errs = append(errs, fmt.Errorf("ifquery --check %s: %s", name, strings.Join(why, ", ")))
		}
	}
	p.mu.Unlock()
	return errors.Join(errs...)
}

// repair looks once more at stanzas whose proof failed. Where netlink has done all that it was asked and ifupdown2 still disagrees,
// the file says something that netlink does not cover, and everything is reloaded, once for a text.
func (p *prover) repair(ctx context.Context, text string, names []string, whole func() bool) error {
	err := p.check(ctx, names)
	if err == nil || p.reload == text || !whole() {
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

// failures reads which attributes of which devices ifquery calls wrong. A device that is wrong and has no wrong attribute is not there.
func failures(out []byte) map[string][]string {
	bad := map[string][]string{}
	device, wrong := "", false
	end := func() {
		if wrong && len(bad[device]) == 0 {
			bad[device] = []string{"is not there"}
		}
	}
	for line := range strings.Lines(string(out)) {
		said, fails := strings.CutSuffix(strings.TrimSpace(line), "[fail]")
		w := strings.Fields(said)
		switch {
		case len(w) > 1 && w[0] == "iface":
			end()
			device, wrong = w[1], fails
		case fails:
			bad[device] = append(bad[device], strings.TrimSpace(said))
		}
	}
	end()
	return bad
}

func run(ctx context.Context, name string, args ...string) ([]byte, error) {
	return exec.CommandContext(ctx, "nice", append([]string{"-n", proofNice, name}, args...)...).CombinedOutput()
}
