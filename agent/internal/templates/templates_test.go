package templates

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	frrtemplates "github.com/pointsman/pointsman/frr-templates"

	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
)

// words refuses a configuration that holds one of them, as FRR refuses what is no command: by the line.
func words(wrong ...string) DryRun {
	return func(_ context.Context, text string) error {
		for i, line := range strings.Split(text, "\n") {
			for _, w := range wrong {
				if strings.Contains(line, w) {
					return fmt.Errorf("dry run: %w", &frrsystem.LineError{Line: i + 1, Text: "Unknown command: " + line})
				}
			}
		}
		return nil
	}
}

const port = "{{ define \"port\" -}}\ninterface {{ . }}\n ipv6 nd ra-interval 1\n ipv6 nd ra-lifetime 0\n no ipv6 nd suppress-ra\nexit\n!\n{{ end }}\n"

func TestLoad(t *testing.T) {
	many := frrtemplates.Examples()[0]
	many.MachinePorts = []string{"swp7"}
	for _, tt := range []struct {
		name    string
		files   map[string]string
		present []frrtemplates.Input
		try     DryRun
		says    string // of the error; "" is none
		in      string // a file in force
	}{
		{name: "nothing", files: map[string]string{}},
		{name: "not for us", files: map[string]string{"README": "hands off", "port.tmpl~": "{{"}},
		{name: "one", files: map[string]string{"port.tmpl": strings.Replace(port, "ra-interval 1", "ra-interval 2", 1)}, in: "port.tmpl"},
		{name: "no command", files: map[string]string{"port.tmpl": strings.Replace(port, "exit\n", " colour blue\nexit\n", 1)}, try: words("colour"),
			says: `port.tmpl:6: FRR does not take "colour blue": line`},
		{name: "no command, in the present state only", files: map[string]string{"port.tmpl": strings.Replace(port, "exit\n", "{{ if eq . \"swp7\" }} colour blue\n{{ end }}exit\n", 1)},
			try: words("colour"), present: []frrtemplates.Input{many}, says: `port.tmpl:6: FRR does not take "colour blue"`},
		{name: "one good, one bad", files: map[string]string{"port.tmpl": port, "vrf.tmpl": "{{ define \"vrf\" }}\n{{ end"}, says: "vrf.tmpl:2"},
		{name: "a field that is not there", files: map[string]string{"spine.conf.tmpl": "hostname {{ .Hostname }}\n{{ .VNI }}\n"}, says: "spine.conf.tmpl:2"},
		{name: "no such template", files: map[string]string{"ports.tmpl": port}, says: "ports.tmpl: there is no such template to replace; there are border.conf.tmpl"},
		{name: "no vtysh", files: map[string]string{"port.tmpl": port}, try: func(context.Context, string) error { return frrsystem.ErrNoProgram }, says: "program not found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tt.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			try := tt.try
			if try == nil {
				try = words()
			}
			set, err := Load(t.Context(), dir, tt.present, try)
			switch {
			case tt.says != "" && (err == nil || set != nil || !strings.Contains(err.Error(), tt.says)):
				t.Errorf("set %v, error %v, want %q", set, err, tt.says)
			case tt.says == "" && err != nil:
				t.Error(err)
			case tt.in != "" && (set == nil || len(set.Replaced()) != 1 || set.Replaced()[0] != tt.in):
				t.Errorf("in force: %+v", set)
			case tt.says == "" && tt.in == "" && set != nil:
				t.Errorf("in force: %v", set.Replaced())
			}
		})
	}
	if set, err := Load(t.Context(), filepath.Join(t.TempDir(), "none"), nil, words()); set != nil || err != nil {
		t.Errorf("no directory: %v, %v", set, err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "port.tmpl"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(t.Context(), dir, nil, words()); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory instead of a template: %v", err)
	}
}
