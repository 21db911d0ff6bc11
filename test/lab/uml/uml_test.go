package uml

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]uint64{"512M": 512 << 20, "1G": 1 << 30, "2g": 2 << 30, "1048576K": 1 << 30, "": 0, "1": 0, "1GG": 0, "M": 0, "-1G": 0, "32M": 0} {
		got, err := parseSize(text)
		if got != want && err == nil || (want == 0) != (err != nil) {
			t.Errorf("parseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestModuleDeps(t *testing.T) {
	got := moduleDeps("kernel/net/8021q/8021q.ko: kernel/net/802/garp.ko kernel/net/llc/llc.ko\nkernel/net/802/garp.ko:\n")
	want := map[string]moduleDep{
		"8021q": {file: "kernel/net/8021q/8021q.ko", needs: []string{"garp", "llc"}},
		"garp":  {file: "kernel/net/802/garp.ko"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(moduleDep{})); diff != "" {
		t.Error(diff)
	}
}

func TestVisible(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := Visible([]string{inner, "/usr/bin", filepath.Join(dir, "a"), inner})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{filepath.Join(dir, "a")}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := Visible([]string{filepath.Join(dir, "missing")}); err == nil {
		t.Error("a missing directory is no error")
	}
}

func TestModuleRoot(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "pkg", "x")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := ModuleRoot(inner); got != dir {
		t.Errorf("ModuleRoot(%s) = %s, want %s", inner, got, dir)
	}
}
