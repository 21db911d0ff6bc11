package uml

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// wanted are the modules that a switch's and a machine's network need. What else is asked for, the kernel loads by itself
// through the root's modprobe, at the price of a fork.
var wanted = []string{
	"overlay", "ipv6", "bridge", "8021q", "veth", "dummy", "vrf", "vxlan", "sch_netem", "unix_diag", "udp_diag", "nf_tables", "nf_conntrack", "nlmon",
}

// moduleParameters keep modules from making devices that nobody asked for.
var moduleParameters = map[string]string{"dummy": "numdummies=0"}

// loadModules loads the wanted modules and what they depend on. A kernel without modules has everything built in.
func loadModules(root string) error {
	if _, err := os.Stat("/proc/modules"); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return err
	}
	dir := filepath.Join(root, "usr/lib/modules", unix.ByteSliceToString(uts.Release[:]))
	text, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return fmt.Errorf("read module index: %w", err)
	}
	deps := moduleDeps(string(text))
	loaded := map[string]bool{}
	for _, name := range wanted {
		if err := loadModule(dir, name, deps, loaded); err != nil {
			return err
		}
	}
	return nil
}

type moduleDep struct {
	file  string
	needs []string
}

// moduleDeps reads depmod's modules.dep: "kernel/net/802/garp.ko: kernel/net/802/stp.ko kernel/net/llc/llc.ko".
func moduleDeps(text string) map[string]moduleDep {
	deps := map[string]moduleDep{}
	for line := range strings.Lines(text) {
		file, needs, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		d := moduleDep{file: file}
		for _, f := range strings.Fields(needs) {
			d.needs = append(d.needs, moduleName(f))
		}
		deps[moduleName(file)] = d
	}
	return deps
}

func moduleName(file string) string { return strings.TrimSuffix(filepath.Base(file), ".ko") }

func loadModule(dir, name string, deps map[string]moduleDep, loaded map[string]bool) error {
	d, ok := deps[name]
	if !ok || loaded[name] {
		return nil // built in, or done
	}
	loaded[name] = true
	for _, need := range d.needs {
		if err := loadModule(dir, need, deps, loaded); err != nil {
			return err
		}
	}
	f, err := os.Open(filepath.Join(dir, d.file))
	if err != nil {
		return fmt.Errorf("load module %s: %w", name, err)
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), moduleParameters[name], 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("load module %s: %w", name, err)
	}
	return nil
}
