package cumulus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// errNoAnswer: ifquery said neither yes nor no, which says nothing of the switch.
var errNoAnswer = errors.New("ifquery gave no answer")

// errOutdated is an answer that blames a kernel which is another by now, or misses stanzas that went while ifquery started.
var errOutdated = fmt.Errorf("%w: the kernel or the file was changed meanwhile", errNoAnswer)

// check asks ifquery for as long as a proof may take.
func (p *prover) check(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	return p.compare(ctx, names)
}

// compare asks ifquery, and notes and returns what does not hold.
func (p *prover) compare(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	p.mu.Lock()
	began := p.changes
	p.mu.Unlock()
	out, err := p.run(ctx, "ifquery", append([]string{"--check"}, names...)...)
	bad := map[string][]string{}
	if err != nil {
		said := failures(out)
		bad = p.ours(said)
		if len(said) == 0 && len(p.thereOf(names)) < len(names) {
			return errOutdated
		}
		if len(said) == 0 || ctx.Err() != nil {
			return fmt.Errorf("%w: %w: %s", errNoAnswer, err, bytes.TrimSpace(out))
		}
	}
	p.mu.Lock()
	if len(bad) > 0 && p.changes != began {
		p.mu.Unlock()
		return errOutdated
	}
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

// thereOf returns those of the stanzas that the file has.
func (p *prover) thereOf(names []string) []string {
	there := p.there()
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(there, name) })
}

// ours are the faults of what our stanzas say. An address that somebody else added to a device, for one, is a fault to ifquery, and a
// reload would delete it.
func (p *prover) ours(said map[string][]string) map[string][]string {
	out := map[string][]string{}
	for device, faults := range said {
		lines := strings.Split(p.stanza(device), "\n")
		for _, fault := range faults {
			name, _, _ := strings.Cut(fault, " ")
			if slices.ContainsFunc(lines, func(line string) bool {
				line = strings.TrimSpace(line)
				return line == fault || name != "address" && strings.HasPrefix(line, name+" ") || fault == absent && line == "iface "+device
			}) {
				out[device] = append(out[device], fault)
			}
		}
	}
	return out
}

// absent is what failures says of a device that is not there.
const absent = "is not there"

// failures reads which attributes of which devices ifquery calls wrong. A device that is wrong and has no wrong attribute is not there.
func failures(out []byte) map[string][]string {
	bad := map[string][]string{}
	device, wrong := "", false
	end := func() {
		if wrong && len(bad[device]) == 0 {
			bad[device] = []string{absent}
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
