// Package guesttest runs a package's tests where the kernel has what a switch needs: VRFs, VLAN-filtering bridges, VXLAN,
// FRR beside it.
//
//	func TestMain(m *testing.M) { guesttest.Main(m) }
//
// On a host whose kernel lacks them, or without root, Main boots the lab's guest and runs the same test binary in it with
// the same -test flags. Nothing is skipped: if the guest cannot be booted, the tests fail.
package guesttest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pointsman/pointsman/test/lab/debroot"
	"github.com/pointsman/pointsman/test/lab/kernel"
	"github.com/pointsman/pointsman/test/lab/uml"
)

// insideEnv tells the test binary that it runs in the guest.
const insideEnv = "POINTSMAN_GUESTTEST"

// Inside reports whether this process runs in the lab's guest.
func Inside() bool { return os.Getenv(insideEnv) != "" }

// rootEnv, with a release's name behind it in capitals, tells the tests in the guest where its root lies.
const rootEnv = "POINTSMAN_ROOT_"

// Root is where the root of a further release lies in the guest, or "" if Main was not told of it.
func Root(r debroot.Release) string { return os.Getenv(rootEnv + strings.ToUpper(r.Name)) }

// Main runs the tests in the guest and exits with their code. $POINTSMAN_GUEST_MEMORY sets the guest's memory. The guest has the
// lab's own kernel if it was built, else Debian's. The roots of further releases are shown to it as they lie on the host.
func Main(m *testing.M, further ...debroot.Release) { runOn(m, choose, further) }

// MainOnOwnKernel is Main for tests that need nftables: it builds the lab's own kernel first where it is missing, which takes minutes.
func MainOnOwnKernel(m *testing.M, further ...debroot.Release) {
	runOn(m, func(ctx context.Context, _ string) (string, error) { return kernel.Ensure(ctx, os.Stderr) }, further)
}

func choose(_ context.Context, root string) (string, error) {
	return kernel.Choose(root, os.Stderr), nil
}

// kernelFor returns the kernel to boot over a root.
type kernelFor func(ctx context.Context, root string) (string, error)

func runOn(m *testing.M, find kernelFor, further []debroot.Release) {
	uml.Main(map[string]uml.Mode{uml.CommandMode: uml.RunCommand})
	flag.Parse()
	if Inside() || given("test.list") || given("test.fuzz") {
		os.Exit(m.Run())
	}
	exit, err := runInGuest(context.Background(), find, further)
	if err != nil {
		fmt.Fprintln(os.Stderr, "guesttest:", err)
		exit = max(exit, 1)
	}
	os.Exit(exit)
}

// given reports whether a flag is set. Tests that are only to be named need no guest; nor does fuzzing, which tries parsers and
// writes what it finds beside the source.
func given(name string) bool {
	f := flag.Lookup(name)
	return f != nil && f.Value.String() != ""
}

func runInGuest(ctx context.Context, find kernelFor, further []debroot.Release) (int, error) {
	root, err := debroot.Ensure(ctx, os.Stderr)
	if err != nil {
		return 0, err
	}
	chosen, err := find(ctx, root)
	if err != nil {
		return 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	args, writable := guestFlags(os.Args[1:], dir)
	shown, err := uml.Visible([]string{uml.ModuleRoot(dir), filepath.Dir(self)})
	if err != nil {
		return 0, err
	}
	env := environment(os.Environ())
	for _, r := range further {
		path, err := r.Ensure(ctx, os.Stderr)
		if err != nil {
			return 0, err
		}
		shown = append(shown, path)
		env = append(env, rootEnv+strings.ToUpper(r.Name)+"="+path)
	}
	return uml.Run(ctx,
		uml.Config{Root: root, Kernel: chosen, Memory: os.Getenv("POINTSMAN_GUEST_MEMORY"), ReadOnly: shown, Writable: writable},
		uml.Command{
			Argv: append([]string{self}, args...), Dir: dir, Env: env,
			Stdout: os.Stdout, Stderr: os.Stderr, Timeout: limit(),
		})
}

// environment keeps what steers a Go test; the rest of the host's environment means nothing in the guest.
func environment(host []string) []string {
	env := []string{insideEnv + "=1"}
	for _, kv := range host {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "GO") && name != "GOCOVERDIR" || strings.HasPrefix(name, "POINTSMAN_") {
			env = append(env, kv)
		}
	}
	return env
}

// limit is a little more than the tests' own, which names the test that hangs.
func limit() time.Duration {
	timeout := 10 * time.Minute
	if f := flag.Lookup("test.timeout"); f != nil {
		if d, err := time.ParseDuration(f.Value.String()); err == nil {
			timeout = d
		}
	}
	if timeout == 0 {
		return 0
	}
	return timeout + 30*time.Second
}

// guestFlags returns the flags for the test binary in the guest, and the host directories that it writes results to. The log of
// files read is dropped: `go test` must not take the result from its cache when the kernel or FRR beside it changed.
func guestFlags(args []string, dir string) (kept, writable []string) {
	for _, arg := range args {
		name, value, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch name {
		case "test.testlogfile":
			continue
		case "test.coverprofile", "test.cpuprofile", "test.memprofile", "test.blockprofile", "test.mutexprofile", "test.trace":
			writable = append(writable, filepath.Dir(absolute(value, dir)))
		case "test.gocoverdir", "test.outputdir", "test.fuzzcachedir":
			if abs := absolute(value, dir); isDir(abs) {
				writable = append(writable, abs)
			}
		case "update": // goldens are rewritten where they lie
			writable = append(writable, dir)
		}
		kept = append(kept, arg)
	}
	slices.Sort(writable)
	return kept, slices.Compact(writable)
}

func absolute(path, dir string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
