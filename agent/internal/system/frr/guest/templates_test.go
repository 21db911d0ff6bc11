package guest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pointsman/pointsman/agent/internal/templates"
	frrtemplates "github.com/pointsman/pointsman/frr-templates"
	"github.com/pointsman/pointsman/test/frrguest"
)

// TestTemplatesOfAnOperator: FRR itself takes what holds and says which line does not. What was taken is loaded, to show that the dry
// run says yes to something that FRR then runs.
func TestTemplatesOfAnOperator(t *testing.T) { frrguest.Each(t, testTemplatesOfAnOperator) }

func testTemplatesOfAnOperator(t *testing.T, v frrguest.Version) {
	daemons, client := start(t, v, "")
	source, err := os.ReadFile(filepath.Join(goldens, "..", "fabric.tmpl"))
	if err != nil {
		t.Fatal(err)
	}
	load := func(text string) (*frrtemplates.Set, error) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "fabric.tmpl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return templates.Load(timeout(t, 60*time.Second), dir, nil, client.DryRun)
	}
	const line = " neighbor FABRIC timers 3 9\n"
	set, err := load(strings.Replace(string(source), line, " neighbor FABRIC timers 1 3\n", 1))
	if err != nil || set == nil {
		t.Fatalf("good templates: %v, %v", set, err)
	}
	for _, in := range frrtemplates.Examples() {
		if in.Role != "leaf" || len(in.VRFs) == 0 {
			continue
		}
		text, err := set.Render(in)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := daemons.Load(text); err != nil || strings.Contains(out, "%") {
			t.Errorf("load: %v\n%s", err, out)
		}
		expect(t, client, parse(t, text))
		if !strings.Contains(text, "timers 1 3") {
			t.Error("the override is not in force")
		}
	}
	before, _, _ := strings.Cut(string(source), line)
	at := 1 + strings.Count(before, "\n")
	_, err = load(strings.Replace(string(source), line, " neighbour FABRIC timers 1 3\n", 1))
	if err == nil || !strings.Contains(err.Error(), "fabric.tmpl:"+strconv.Itoa(at)+": FRR does not take \"neighbour FABRIC timers 1 3\": ") {
		t.Errorf("a line that is no command: %v, want fabric.tmpl:%d", err, at)
	}
}
