package guest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pointsman/pointsman/test/frrguest"
)

// TestGoldensLoad: FRR takes each golden whole, and then prints it, as the text model sees it.
func TestGoldensLoad(t *testing.T) { frrguest.Each(t, testGoldensLoad) }

func testGoldensLoad(t *testing.T, v frrguest.Version) {
	files, err := filepath.Glob(filepath.Join(goldens, "*.conf"))
	if err != nil || len(files) < 3 {
		t.Fatalf("goldens: %v, %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".conf")
		t.Run(name, func(t *testing.T) {
			daemons, client := start(t, v, "")
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

// corpus is where the text model has what FRR prints.
const corpus = "../../../../../pkg/frr/testdata/corpus"

// TestCorpusIsCurrent: what the text model's corpus has of this version is what it prints.
func TestCorpusIsCurrent(t *testing.T) { frrguest.Each(t, testCorpusIsCurrent) }

func testCorpusIsCurrent(t *testing.T, v frrguest.Version) {
	for _, name := range []string{"leaf-tenants", "spine"} {
		recorded, err := os.ReadFile(filepath.Join(corpus, name+"@"+v.Name+".conf"))
		if err != nil {
			t.Fatal(err)
		}
		daemons, _ := start(t, v, "")
		if out, err := daemons.Load(golden(t, name)); err != nil {
			t.Fatal(err, out)
		}
		printed, err := daemons.Shell("-c", "show running-config")
		if err != nil {
			t.Fatal(err)
		}
		if !parse(t, printed).Equal(parse(t, string(recorded))) {
			t.Errorf("of %s, FRR %s prints\n%s", name, v.Name, printed)
		}
	}
}

// TestBrokenGoldenIsRefused: the test above can fail. FRR must refuse what the goldens' directory calls broken, in the dry run
// where it is no command, and by the text model where FRR silently takes something else.
func TestBrokenGoldenIsRefused(t *testing.T) { frrguest.Each(t, testBrokenGoldenIsRefused) }

func testBrokenGoldenIsRefused(t *testing.T, v frrguest.Version) {
	text, err := os.ReadFile(filepath.Join(goldens, "broken", "leaf.conf"))
	if err != nil {
		t.Fatal(err)
	}
	_, client := start(t, v, "")
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
