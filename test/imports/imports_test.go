// Package imports holds the walls that the compiler cannot keep: which packages may not import what, and why.
package imports

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/pointsman/pointsman/"

// pure packages decide; they neither read the world nor the clock, so that the same input gives the same bytes.
var pure = []string{"pkg/netmodel", "pkg/frr", "pkg/keys", "agent/internal/plan", "agent/internal/system/cumulus/interfaces", "controlplane/internal/compile", "controlplane/internal/ipam", "test/lab/swstate/core"}

// impure lists what a pure package may not import, and the reason.
var impure = map[string]string{
	"os":                             "a decision that reads files cannot be replayed",
	"os/exec":                        "a decision starts no program",
	"net":                            "a decision opens no connection; addresses are net/netip",
	"net/http":                       "a decision opens no connection",
	"syscall":                        "a decision makes no system call",
	"golang.org/x/sys/unix":          "a decision makes no system call",
	"math/rand":                      "randomness is passed in",
	"github.com/vishvananda/netlink": "the planner reads no kernel",
	"go.etcd.io/etcd/client/v3":      "the compiler reads no store",
	"google.golang.org/grpc":         "decisions know no transport",
	"google.golang.org/protobuf":     "protobuf stops at pkg/wire",
	module + "pkg/api":               "protobuf stops at pkg/wire",
	module + "pkg/wire":              "protobuf stops at pkg/wire",
}

// clock lists the functions of package time that read or await the clock.
var clock = map[string]bool{"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true, "Tick": true, "NewTimer": true, "NewTicker": true, "AfterFunc": true}

func TestPurePackages(t *testing.T) {
	for _, pkg := range pure {
		for name, file := range sources(t, pkg) {
			for _, path := range importsOf(t, file) {
				for banned, why := range impure {
					if path == banned || strings.HasPrefix(path, banned+"/") && banned != "net" && banned != "os" && banned != "math/rand" {
						t.Errorf("%s imports %s: %s", name, path, why)
					}
				}
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && clock[s.Sel.Name] {
						t.Errorf("%s calls time.%s: the clock is passed in", name, s.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// TestCommandLineUsesTheAPI keeps pointsmanctl an ordinary client, and the end-to-end scripts users of the binaries.
func TestCommandLineUsesTheAPI(t *testing.T) {
	for _, pkg := range []string{"pointsmanctl", "test/e2e", "test/lab"} {
		for name, file := range sources(t, pkg) {
			for _, path := range importsOf(t, file) {
				inside, ok := strings.CutPrefix(path, module)
				if ok && !strings.HasPrefix(inside, "pkg/") && !strings.HasPrefix(inside, pkg) && !strings.HasPrefix(inside, "test/") {
					t.Errorf("%s imports %s: it may know only pkg, as anybody's program would", name, path)
				}
			}
		}
	}
}

// TestWireIsTheOnlyTranslator keeps generated types out of the agent's and control plane's reasoning.
func TestWireIsTheOnlyTranslator(t *testing.T) {
	for _, pkg := range []string{"agent/internal/reconcile", "agent/internal/system", "agent/internal/lldp", "controlplane/internal/allocate", "controlplane/internal/discover"} {
		for name, file := range sources(t, pkg) {
			for _, path := range importsOf(t, file) {
				if strings.HasPrefix(path, module+"pkg/api/") {
					t.Errorf("%s imports %s: protobuf stops at pkg/wire", name, path)
				}
			}
		}
	}
}

// sources parses the non-test files below a directory of the module.
func sources(t *testing.T, pkg string) map[string]*ast.File {
	t.Helper()
	root := filepath.Join("..", "..", pkg)
	if _, err := os.Stat(root); err != nil {
		t.Fatalf("the walls name %s, which is not there: %v", pkg, err)
	}
	files := map[string]*ast.File{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		files[path] = f
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func importsOf(t *testing.T, file *ast.File) []string {
	t.Helper()
	var out []string
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, path)
	}
	return out
}
