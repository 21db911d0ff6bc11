package frr

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCorpus: what FRR prints of a golden means the same as the golden, in every version: equal, nothing to do either way, and the same
// after it was written and read again.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/corpus/*.conf")
	if err != nil || len(files) < 6 {
		t.Fatalf("the corpus: %q, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			printed := mustParse(t, read(t, file))
			name, _, _ := strings.Cut(filepath.Base(file), "@")
			golden := mustParse(t, read(t, "../../frr-templates/testdata/"+name+".conf"))
			if !printed.Equal(golden) || !golden.Equal(printed) {
				t.Errorf("it is something else: -golden +printed\n%s", cmp.Diff(golden.on(printed).comparable().String(), printed.comparable().String()))
			}
			if changes := Diff(printed, golden); len(changes) > 0 {
				t.Errorf("there is something to do: %v", changes)
			}
			if again := mustParse(t, printed.String()); !again.Equal(printed) {
				t.Errorf("after a round it is\n%s", again)
			}
			nothing := Patch(printed, Diff(printed, Config{}))
			if left := Diff(nothing, Config{}); len(left) > 0 {
				t.Errorf("taken away, there is still: %v", left)
			}
			if left := Diff(Patch(nothing, Diff(nothing, golden)), golden); len(left) > 0 {
				t.Errorf("put back, there is still to do: %v", left)
			}
		})
	}
}

// TestCorpusCoversTheTemplates: every kind of context that the templates use is in it, and so is each version's way to close one.
func TestCorpusCoversTheTemplates(t *testing.T) {
	files, _ := filepath.Glob("testdata/corpus/*@10.3.conf")
	seen := map[string]bool{}
	var note func(lines []Line)
	note = func(lines []Line) {
		for _, l := range lines {
			first, _, _ := strings.Cut(l.Text, " ")
			seen[first] = seen[first] || opens(l.Text)
			note(l.Lines)
		}
	}
	for _, file := range files {
		note(mustParse(t, read(t, file)).Lines)
	}
	for _, context := range []string{"vrf", "interface", "router", "address-family", "route-map", "bfd", "profile"} {
		if !seen[context] {
			t.Errorf("no %s in the corpus", context)
		}
	}
}

// TestGranted: what FRR 10 takes for granted is no difference there, and one to 8; that it was turned off is one to both.
func TestGranted(t *testing.T) {
	const with, without = "router bgp 1\n neighbor M peer-group\n neighbor M enforce-first-as\n", "router bgp 1\n neighbor M peer-group\n"
	for version, want := range map[string]int{"8.4.4": 1, "9.1": 1, "10.0.1": 0, "10.3": 0, "11.0": 0} {
		have := mustParse(t, "frr version "+version+"\n"+without)
		if changes := Diff(have, mustParse(t, with)); len(changes) != want {
			t.Errorf("%s: %v", version, changes)
		}
		off := mustParse(t, "frr version "+version+"\n"+without+" no neighbor M enforce-first-as\n")
		if changes := Diff(off, mustParse(t, with)); len(changes) != 1 || changes[0].Line != "neighbor M enforce-first-as" {
			t.Errorf("%s, turned off: %v", version, changes)
		}
	}
}

func TestScript(t *testing.T) {
	bgp := []string{"router bgp 1"}
	family := append(bgp[:1:1], "address-family ipv4 unicast")
	const want = `no route-map PM-A permit 20
route-map PM-A permit 10
 no set metric 5
exit
route-map PM-B deny 30
exit
router bgp 1
 neighbor M peer-group
 address-family ipv4 unicast
  neighbor M activate
 exit-address-family
 no neighbor X peer-group
exit
vrf Vrf1
 vni 1
exit-vrf
`
	got := Script([]Change{
		{Line: "no route-map PM-A permit 20"}, {Context: []string{"route-map PM-A permit 10"}, Line: "no set metric 5"}, {Line: "route-map PM-B deny 30"},
		{Context: bgp, Line: "neighbor M peer-group"}, {Context: family, Line: "neighbor M activate"}, {Context: bgp, Line: "no neighbor X peer-group"},
		{Context: []string{"vrf Vrf1"}, Line: "vni 1"},
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
