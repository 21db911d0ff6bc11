package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pointsman/pointsman/test/lab/guesttest"
)

// TestMain is the program itself where a part starts it as a helper.
func TestMain(m *testing.M) {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "-speak":
		err = speak(os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "-advertise":
		err = advertiseHere()
	default:
		guesttest.Main(m)
	}
	if err != nil {
		panic(err)
	}
}

// TestParts: each part measures what it says, at its smallest.
func TestParts(t *testing.T) {
	want := map[string]int{"frr": 2, "session": 1, "kernel": 2, "cumulus": 1}
	for name, part := range parts {
		t.Run(name, func(t *testing.T) {
			rows, err := guarded(func(h *harness) []Measured { return part(h, options{pairs: 1, vrfs: []int{2}}) })
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != want[name] {
				t.Errorf("%d rows", len(rows))
			}
			for _, r := range rows {
				t.Logf("%+v", r)
				if r.Ours <= 0 || r.Peer <= 0 || r.Ratio <= 0 || r.Kernel == "" {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

// TestReport: the file that others read, and the one with everything.
func TestReport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	r := Report{Rows: []Measured{{Row: Row{Name: "a", VRFs: 10, Ours: 2, Peer: 400, Ratio: 200, Runs: 7, With: "b"}, Mode: modeNative, OursSamples: []float64{2}}}}
	if err := r.save(dir); err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	text, err := os.ReadFile(filepath.Join(dir, "apply.json"))
	if err == nil {
		err = json.Unmarshal(text, &rows)
	}
	if err != nil || len(rows) != 1 || len(rows[0]) != 7 || rows[0]["ours_ms"] != 2.0 || rows[0]["peer"] != "b" {
		t.Errorf("%v %s", err, text)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "apply-raw.json")); err != nil || !strings.Contains(string(text), `"ours_samples_ms"`) || !strings.Contains(string(text), modeNative) {
		t.Errorf("%v %s", err, text)
	}
	var printed strings.Builder
	r.print(&printed)
	if !strings.Contains(printed.String(), "200.0 ×") {
		t.Errorf("no ratio in\n%s", &printed)
	}
}

func TestOptions(t *testing.T) {
	for text, good := range map[string]bool{"10,100": true, "2": true, "": false, "1": false, "100,10": false, "x": false} {
		o := options{pairs: 1}
		if err := o.parse(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}
