package contexts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func env(vars map[string]string) func(string) string { return func(k string) string { return vars[k] } }

func TestPath(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"nowhere", nil, ""},
		{"home", map[string]string{"HOME": "/home/ada"}, "/home/ada/.config/pointsman/config.yaml"},
		{"XDG before home", map[string]string{"HOME": "/home/ada", "XDG_CONFIG_HOME": "/xdg"}, "/xdg/pointsman/config.yaml"},
		{"a relative XDG counts for nothing", map[string]string{"HOME": "/home/ada", "XDG_CONFIG_HOME": "xdg"}, "/home/ada/.config/pointsman/config.yaml"},
		{"said", map[string]string{"XDG_CONFIG_HOME": "/xdg", "POINTSMAN_CONFIG": "/said.yaml"}, "/said.yaml"},
	} {
		if got := Path(env(c.env)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestWriteAndRead: what is written is read again, and is its owner's alone, also where a file of wider rights was before.
func TestWriteAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pointsman", "config.yaml")
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Current = "prod"
	f.Contexts["prod"] = &Context{Server: "pointsman:443", Project: "storage", TLS: &TLS{CA: "/ca.pem", ServerName: "pointsman.example"}}
	f.Contexts["lab"] = &Context{Server: "127.0.0.1:7443"}
	for range 2 {
		if err := f.Write(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v %v", info.Mode(), err)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f, again, cmpopts.IgnoreUnexported(File{})); diff != "" {
		t.Errorf("-written +read:\n%s", diff)
	}
}

// TestAWriteThatIsRefusedLeavesTheFile: nothing bad gets into the file.
func TestAWriteThatIsRefusedLeavesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("contexts: {lab: {server: '127.0.0.1:7443'}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	f.Contexts["bad"] = &Context{}
	if err := f.Write(); err == nil {
		t.Error("a context without a server was written")
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Errorf("the file is now %q", after)
	}
}

func TestBadFilesAreRefused(t *testing.T) {
	for _, c := range []struct{ name, file, says string }{
		{"unknown field", "contexts:\n  lab:\n    servr: a:1\n", "line 3: field servr is not known here"},
		{"wrong type", "contexts:\n  lab:\n    server: [a]\n", "line 3: cannot unmarshal"},
		{"no YAML", "contexts: {\n", "yaml: line 1"},
		{"no server", "contexts:\n  lab: {project: web}\n", `context "lab": server: it is missing; give HOST:PORT`},
		{"scheme", "contexts:\n  lab: {server: 'https://a:1'}\n", `context "lab": server: "https://a:1" has a scheme; give HOST:PORT`},
		{"empty context", "contexts:\n  lab:\n", `context "lab" is empty: give it a server`},
		{"key without certificate", "contexts:\n  lab: {server: 'a:1', tls: {key: k}}\n", `context "lab": tls.cert: it is missing`},
		{"certificate without key", "contexts:\n  lab: {server: 'a:1', tls: {cert: k}}\n", `context "lab": tls.key: it is missing`},
		{"current that is not there", "current-context: prod\ncontexts:\n  lab: {server: 'a:1'}\n", `current-context: there is no context "prod": name one of lab`},
		{"name", "contexts:\n  'my lab': {server: 'a:1'}\n", `context "my lab": its name must be`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Read(path)
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
				t.Errorf("says %v, want the file's name and %q", err, c.says)
			}
		})
	}
}
