package guest

import (
	"testing"
	"time"

	frrtemplates "github.com/pointsman/pointsman/frr-templates"
	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/test/frrguest"
)

// TestDeltas: from any configuration of the templates to any other, FRR accepts each command of the delta, then runs the other,
// and a second pass sends nothing, as FRR's own log of commands shows.
func TestDeltas(t *testing.T) {
	daemons, client := start(t, "")
	for _, name := range []string{"leaf", "leaf-tenants", "spine", "leaf-tenants", "leaf"} {
		t.Logf("to golden %q", name)
		apply(t, client, parse(t, golden(t, name)))
		expect(t, client, parse(t, golden(t, name)))
	}
	draw := leaves()
	for seed := range 36 {
		text, err := frrtemplates.Render(draw.Example(seed))
		if err != nil {
			t.Fatal(err)
		}
		want := parse(t, text)
		begin := time.Now()
		changes := apply(t, client, want)
		t.Logf("%d: %d commands in %v", seed, len(changes), time.Since(begin).Round(time.Millisecond))
		expect(t, client, want)
		secondPass(t, daemons, client, want)
		if t.Failed() {
			t.Fatalf("stop at seed %d, wanted\n%s", seed, text)
		}
	}
	apply(t, client, frr.Config{})
	expect(t, client, frr.Config{})
}

// secondPass observes and applies again, and reads in FRR's log that no daemon was configured.
func secondPass(t *testing.T, daemons *frrguest.FRR, client *frrsystem.Client, want frr.Config) {
	t.Helper()
	_, from := daemons.Log(0)
	if again := apply(t, client, want); len(again) > 0 {
		t.Errorf("a second pass sends %v", again)
	}
	log, _ := daemons.Log(from)
	if commands := configured(log); len(commands) > 0 {
		t.Errorf("in a second pass FRR was told %q", commands)
	}
}
