package failpoint

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/frr"
)

// recorder is a network OS that notes what it is asked to do.
type recorder struct {
	System
	did []string
}

func (r *recorder) Apply(_ context.Context, ops []plan.Op) []plan.Result {
	r.did = nil
	for _, op := range ops {
		if o, ok := op.(plan.ApplyFRR); ok {
			for _, c := range o.Changes {
				r.did = append(r.did, c.Line)
			}
			continue
		}
		r.did = append(r.did, fmt.Sprint(op))
	}
	return make([]plan.Result, len(ops))
}

func TestChangeIsCutAfterNSteps(t *testing.T) {
	ops := []plan.Op{
		plan.SetUp{Device: "swp1"}, plan.ApplyFRR{Changes: []frr.Change{{Line: "a"}, {Line: "b"}, {Line: "c"}}}, plan.SetUp{Device: "swp1", Up: true},
	}
	all := []string{"set swp1 down", "a", "b", "c", "set swp1 up"}
	for n := range len(all) + 2 {
		path := filepath.Join(t.TempDir(), "failpoint")
		t.Setenv(Variable, path)
		under, died := &recorder{}, false
		sys := Around(under, slog.New(slog.DiscardHandler)).(*mortal)
		sys.die = func() { died = true }
		if sys.Apply(t.Context(), ops); died || len(under.did) != len(all) {
			t.Fatalf("unarmed: died %v, did %q", died, under.did)
		}
		if err := os.WriteFile(path, fmt.Appendln(nil, n), 0o644); err != nil {
			t.Fatal(err)
		}
		sys.Apply(t.Context(), ops[:1]) // a change may come in several parts
		if parts := under.did; !died {
			sys.Apply(t.Context(), ops[1:])
			under.did = append(parts, under.did...)
		}
		_, err := os.Stat(path)
		if cut := n < len(all); died != cut || os.IsNotExist(err) != cut {
			t.Errorf("at %d: died %v, file: %v", n, died, err)
		}
		if diff := cmp.Diff(all[:min(n, len(all))], under.did, cmp.Transformer("empty", func(s []string) []string { return append([]string{}, s...) })); diff != "" {
			t.Errorf("at %d: %s", n, diff)
		}
		if n < len(all) && next(ops, n) == "" {
			t.Errorf("at %d: nothing is next", n)
		}
	}
}

func TestOffByDefault(t *testing.T) {
	t.Setenv(Variable, "")
	sys := &recorder{}
	if got := Around(sys, slog.New(slog.DiscardHandler)); got != System(sys) {
		t.Errorf("%T without the variable", got)
	}
}
