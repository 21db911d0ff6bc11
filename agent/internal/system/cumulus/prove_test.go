package cumulus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What changes closely together is proven once, when the switch is quiet; where it never is, after a while all the same.
func TestProofAwaitsQuiet(t *testing.T) {
	for _, tt := range []struct {
		name    string
		changes int // one a second, of a stanza each
		asked   []string
	}{
		{"one change", 1, []string{"3s swp0"}},
		{"changes close together", 4, []string{"6s swp0 swp1 swp2 swp3"}},
		{"changes without end", 32, []string{"29.5s swp0 to swp29", "34s swp30 swp31"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, asked := time.Now(), []string{}
				var names []string
				for i := range tt.changes {
					names = append(names, fmt.Sprintf("swp%d", i))
				}
				p := newProver(func(_ context.Context, _ string, args ...string) ([]byte, error) {
					what := slices.SortedFunc(slices.Values(args[1:]), func(a, b string) int { return slices.Index(names, a) - slices.Index(names, b) })
					said := strings.Join(what, " ")
					if n := len(what); n > 4 {
						said = what[0] + " to " + what[n-1]
					}
					asked = append(asked, fmt.Sprint(time.Since(began), " ", said))
					return nil, nil
				}, slog.New(slog.DiscardHandler))
				p.patience = proofPatience - time.Second/2 // not at the moment of a change
				p.there = func() []string { return names }
				for i, name := range names {
					if i > 0 {
						time.Sleep(time.Second)
					}
					p.prove([]string{name})
				}
				p.wg.Wait()
				p.close()
				if !slices.Equal(asked, tt.asked) {
					t.Errorf("asked %q, want %q", asked, tt.asked)
				}
			})
		})
	}
}

// Without an answer nothing is known: nothing is blamed, and nothing is reloaded. What ifquery does blame is reloaded once for a text.
func TestRepair(t *testing.T) {
	var asked []string
	answer := func() ([]byte, error) { return nil, errors.New("killed") }
	p := newProver(func(_ context.Context, name string, _ ...string) ([]byte, error) {
		asked = append(asked, name)
		if name == "ifreload" {
			return nil, nil
		}
		return answer()
	}, slog.New(slog.DiscardHandler))
	p.there = func() []string { return []string{"swp1", "swp2"} }
	p.stanza = func(string) string { return "auto swp1\niface swp1\n    mtu 9216\n" }
	defer p.close()
	yes := func() bool { return true }
	for _, tt := range []struct {
		name   string
		answer func() ([]byte, error)
		text   string
		whole  func() bool
		asked  []string
		failed []string
		err    bool
	}{
		{"no answer", answer, "a", yes, []string{"ifquery"}, nil, true},
		{"the kernel is not yet as wanted", wrong, "a", func() bool { return false }, []string{"ifquery"}, []string{"swp1"}, true},
		{"wrong", wrong, "a", yes, []string{"ifquery", "ifreload", "ifquery"}, []string{"swp1"}, true},
		{"another's fault", func() ([]byte, error) {
			return []byte("iface swp1   [fail]\n\taddress 192.0.2.1/24   [fail]\n"), errors.New("exit status 1")
		}, "a", yes, []string{"ifquery"}, nil, false},
		{"still wrong", wrong, "a", yes, []string{"ifquery"}, []string{"swp1"}, true},
		{"wrong in another text", wrong, "b", yes, []string{"ifquery", "ifreload", "ifquery"}, []string{"swp1"}, true},
		{"right", func() ([]byte, error) { return nil, nil }, "b", yes, []string{"ifquery"}, nil, false},
	} {
		asked, answer = nil, tt.answer
		err := p.repair(t.Context(), tt.text, []string{"swp1", "swp2"}, tt.whole)
		if (err != nil) != tt.err || !slices.Equal(asked, tt.asked) || !slices.Equal(p.failed(), tt.failed) {
			t.Errorf("%s: asked %v, failed %v, error %v", tt.name, asked, p.failed(), err)
		}
	}
}

// A stanza that goes while ifquery starts is no fault, and nothing to wait for: the others are asked for again.
func TestStanzaGoesMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := []string{"swp1", "vni104001"}
		var asked [][]string
		p := newProver(func(_ context.Context, _ string, args ...string) ([]byte, error) {
			asked = append(asked, args[1:])
			if len(asked) > 1 {
				return nil, nil
			}
			file = file[:1]
			return []byte("error: main exception: cannot find interfaces: vni104001\n"), errors.New("exit status 1")
		}, slog.New(slog.DiscardHandler))
		p.there = func() []string { return file }
		start := time.Now()
		p.prove(slices.Clone(file))
		p.wg.Wait()
		if want := [][]string{{"swp1", "vni104001"}, {"swp1"}}; !cmp.Equal(asked, want) || time.Since(start) >= proofRetry {
			t.Errorf("after %v, asked %v; want %v at once", time.Since(start), asked, want)
		}
	})
}

func wrong() ([]byte, error) {
	return []byte("auto swp1\niface swp1   [fail]\n\tmtu 9216   [fail]\n"), errors.New("exit status 1")
}
