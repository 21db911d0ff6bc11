package frrtemplates

import (
	"slices"
	"strings"
	"testing"
)

func builtinSource(t *testing.T, name string) string {
	t.Helper()
	text, err := files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestOverride(t *testing.T) {
	fabric := strings.Replace(builtinSource(t, "fabric.tmpl"), "timers 3 9", "timers 1 3", 1)
	set, err := Override(map[string]string{"fabric.tmpl": fabric})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range Examples() {
		ours, err := Render(in)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := set.Render(in)
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Replace(ours, "neighbor FABRIC timers 3 9", "neighbor FABRIC timers 1 3", 1); theirs != want || theirs == ours {
			t.Errorf("%s: replaced template renders\n%s", in.Hostname, theirs)
		}
	}
	if got := set.Replaced(); !slices.Equal(got, []string{"fabric.tmpl"}) {
		t.Errorf("replaced %v", got)
	}
	var none *Set
	if a, _ := none.Render(Examples()[0]); a == "" || a != must(Render(Examples()[0])) {
		t.Error("no set is not the built-in one")
	}
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

// TestOverrideRefuses what cannot be parsed or rendered, with file and line.
func TestOverrideRefuses(t *testing.T) {
	for _, tt := range []struct{ name, file, text, says string }{
		{"an unknown file", "leaves.tmpl", "", "leaves.tmpl: there is no such template"},
		{"an open action", "port.tmpl", "{{ define \"port\" }}\ninterface {{ . \n", "port.tmpl:2"},
		{"an unknown function", "port.tmpl", "{{ define \"port\" }}\n\n{{ upper . }}{{ end }}", "port.tmpl:3"},
		{"an unknown field", "spine.conf.tmpl", "hostname {{ .Hostname }}\n!\n{{ .Colour }}\n", "spine.conf.tmpl:3"},
		{"a partial that is gone", "port.tmpl", "", `"port"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, err := Override(map[string]string{tt.file: tt.text})
			for _, in := range Examples() {
				if err == nil {
					_, err = set.Render(in)
				}
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want %q", err, tt.says)
			}
		})
	}
}

// TestOriginsNameTheLine: every line of every example is found in the template that is named for it.
func TestOriginsNameTheLine(t *testing.T) {
	override := "{{ define \"port\" -}}\n{{- /* longer,\nby a comment */ -}}\ninterface {{ . }}\n{{ if . }} ipv6 nd ra-interval 1\n{{ end }}exit\n!\n{{ end }}\n"
	set, err := Override(map[string]string{"port.tmpl": override})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Set{nil, set} {
		for _, in := range Examples() {
			text := must(s.Render(in))
			origins, err := s.Origins(in)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			if len(origins) != len(lines) {
				t.Fatalf("%d origins of %d lines", len(origins), len(lines))
			}
			for i, line := range lines {
				file, number, _ := strings.Cut(origins[i], ":")
				source := builtinSource(t, file)
				if s != nil && file == "port.tmpl" {
					source = override
				}
				at := 0
				for _, d := range number {
					at = 10*at + int(d-'0')
				}
				if at < 1 {
					t.Fatalf("line %q comes from %q", line, origins[i])
				}
				if from, word := strings.Split(source, "\n")[at-1], strings.Fields(line)[0]; !strings.Contains(from, word) {
					t.Errorf("%q is said to come from %s: %q", line, origins[i], from)
				}
			}
		}
	}
}
