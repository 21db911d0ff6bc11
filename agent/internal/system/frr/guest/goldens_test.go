package guest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestGoldensLoad: FRR takes each golden whole, and then prints it, as the text model sees it.
func TestGoldensLoad(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(goldens, "*.conf"))
	if err != nil || len(files) < 3 {
		t.Fatalf("goldens: %v, %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".conf")
		t.Run(name, func(t *testing.T) {
			daemons, client := start(t, "")
			text := golden(t, name)
			if err := client.DryRun(timeout(t, 20*time.Second), text); err != nil {
				t.Error(err)
			}
			if out, err := daemons.Load(text); err != nil || strings.Contains(out, "%") {
				t.Errorf("load: %v\n%s", err, out)
			}
			expect(t, client, parse(t, text))
			if have := running(t, client); !have.Equal(parse(t, text)) {
				t.Errorf("FRR prints something else:\n%s", have)
			}
		})
	}
}

// TestBrokenGoldenIsRefused: the test above can fail. FRR must refuse what the goldens' directory calls broken, in the dry run
// where it is no command, and by the text model where FRR silently takes something else.
func TestBrokenGoldenIsRefused(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(goldens, "broken", "leaf.conf"))
	if err != nil {
		t.Fatal(err)
	}
	_, client := start(t, "")
	if err := client.DryRun(timeout(t, 20*time.Second), string(text)); err == nil {
		t.Error("the dry run found nothing wrong")
	} else {
		t.Log(err)
	}
	if err := client.Reload(timeout(t, 60*time.Second), string(text)); err == nil {
		t.Error("reload took it")
	}
	if have := running(t, client); have.Equal(parse(t, string(text))) {
		t.Error("FRR runs the broken configuration")
	}
}
