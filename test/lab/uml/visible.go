package uml

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// system are directories that the guest has of its own; a program of the host that lies there cannot be shown at its path.
var system = []string{"/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/sbin", "/var"}

// Visible returns the host directories to show in the guest: absolute, without those that the guest has of its own, without
// repetitions, and parents before what lies in them.
func Visible(dirs []string) ([]string, error) {
	var shown []string
	for _, dir := range dirs {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		if info, err := os.Stat(abs); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("show %s in the guest: not a directory of the host", dir)
		}
		if !slices.Contains(system, abs) {
			shown = append(shown, abs)
		}
	}
	slices.Sort(shown)
	var roots []string
	for _, dir := range slices.Compact(shown) {
		if !slices.ContainsFunc(roots, func(parent string) bool { return strings.HasPrefix(dir, parent+"/") }) {
			roots = append(roots, dir)
		}
	}
	return roots, nil
}

// ModuleRoot returns the directory of the Go module that dir lies in, or dir itself.
func ModuleRoot(dir string) string {
	for d := dir; d != "/" && d != "."; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d
		}
	}
	return dir
}
