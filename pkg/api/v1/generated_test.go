package apiv1_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGeneratedCodeIsCurrent generates the Go code and the OpenAPI file of the protos again and compares. It builds the generators first, which
// takes a minute with empty caches.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	out := t.TempDir()
	generate := exec.CommandContext(t.Context(), filepath.Join("..", "..", "..", "tools", "generate.sh"), out)
	if log, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("tools/generate.sh: %v\n%s", err, log)
	}
	committed := generated(t, ".")
	fresh := generated(t, filepath.Join(out, "pkg", "api", "v1"))
	if len(fresh) == 0 {
		t.Fatal("tools/generate.sh generated nothing")
	}
	for name := range committed {
		if _, ok := fresh[name]; !ok {
			t.Errorf("%s is generated from no proto any more: delete it", name)
		}
	}
	for name, want := range fresh {
		if committed[name] != want {
			t.Errorf("%s is not current: run make generate (-committed +generated)\n%s", name, cmp.Diff(committed[name], want))
		}
	}
}

func generated(t *testing.T, dir string) map[string]string {
	t.Helper()
	var paths []string
	for _, form := range []string{"*.pb.go", "*.pb.gw.go", "*.swagger.json"} {
		found, err := filepath.Glob(filepath.Join(dir, form))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	out := map[string]string{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(p)] = string(b)
	}
	return out
}
