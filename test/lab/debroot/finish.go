package debroot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// accounts are the users that the packages' scripts would have made.
const (
	passwd = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
frr:x:110:110:Frr routing suite:/nonexistent:/usr/sbin/nologin
redis:x:112:112::/var/lib/redis:/usr/sbin/nologin
_lldpd:x:113:113::/run/lldpd:/usr/sbin/nologin
bird:x:114:114::/run/bird:/usr/sbin/nologin
tcpdump:x:115:115::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`
	group = `root:x:0:
daemon:x:1:
adm:x:4:
tty:x:5:
frr:x:110:
frrvty:x:111:frr
redis:x:112:
_lldpd:x:113:
bird:x:114:
tcpdump:x:115:
nogroup:x:65534:
`
	permit = `auth sufficient pam_permit.so
account sufficient pam_permit.so
password sufficient pam_permit.so
session sufficient pam_permit.so
`
)

// files are those that the packages' scripts would have written.
var files = map[string]string{
	"etc/passwd":        passwd,
	"etc/group":         group,
	"etc/shadow":        "root:*:19000:0:99999:7:::\n",
	"etc/hosts":         "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
	"etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
	"etc/resolv.conf":   "# The guest has no way to a name server.\n",
	"etc/machine-id":    "",
	"etc/pam.d/frr":     permit,
	"etc/pam.d/other":   permit,
	"etc/profile":       "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
}

// links are what update-alternatives would have made.
var links = map[string]string{
	"usr/bin/sh":    "bash",
	"usr/bin/which": "which.debianutils",
	"usr/bin/awk":   "gawk",
	"usr/bin/nc":    "nc.openbsd",
	"usr/bin/pager": "less",
}

// finish does what package scripts would have done and the guest needs.
func finish(ctx context.Context, tree string) error {
	for _, dir := range []string{"dev", "proc", "sys", "run", "tmp", "root", "mnt", "etc", "var/log", "var/lib", "var/tmp"} {
		if err := os.MkdirAll(filepath.Join(tree, dir), 0o755); err != nil {
			return err
		}
	}
	for name, text := range files {
		file := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for name, target := range links {
		if !exists(filepath.Join(tree, filepath.Dir(name), target)) {
			continue
		}
		if err := os.Symlink(target, filepath.Join(tree, name)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	// ifreload runs this file; the bit is set by a script of the package.
	if err := os.Chmod(filepath.Join(tree, "usr/share/ifupdown2/__main__.py"), 0o755); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := compilePython(ctx, tree); err != nil {
		return err
	}
	if !exists(filepath.Join(tree, "usr/lib/uml/modules")) {
		return nil // a root for some programs, not to be booted
	}
	return indexModules(ctx, tree)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// program runs a program of the root, under a name, by the root's own loader: the host may have neither it nor this libc.
func program(ctx context.Context, tree, path, name string, args ...string) *exec.Cmd {
	loader := filepath.Join(tree, "usr/lib64/ld-linux-x86-64.so.2")
	if target, err := os.Readlink(loader); err == nil && strings.HasPrefix(target, "/") {
		loader = filepath.Join(tree, usrMerged(target)) // an absolute link would lead to the host's
	}
	loaded := []string{"--library-path", filepath.Join(tree, "usr/lib/x86_64-linux-gnu"), "--argv0", name, filepath.Join(tree, path)}
	return exec.CommandContext(ctx, loader, append(loaded, args...)...)
}

// compilePython compiles the root's Python modules: each node of a fabric begins with the root as it is here, and would compile what it
// runs anew, in two thirds of the time that ifupdown2's first answer takes.
func compilePython(ctx context.Context, tree string) error {
	interpreters, err := filepath.Glob(filepath.Join(tree, "usr/bin/python3.[0-9]*"))
	if err != nil || len(interpreters) == 0 {
		return err
	}
	modules := []string{"-m", "compileall", "-q", "-p", "/"} // the guest has what is in usr at /usr
	for _, dir := range []string{"usr/lib/python3*", "usr/share/ifupdown2"} {
		found, err := filepath.Glob(filepath.Join(tree, dir))
		if err != nil {
			return err
		}
		for _, dir := range found {
			modules = append(modules, strings.TrimPrefix(dir, tree+"/"))
		}
	}
	cmd := program(ctx, tree, "usr/bin/"+filepath.Base(interpreters[0]), "python3", modules...)
	cmd.Dir, cmd.Env = tree, append(os.Environ(), "PYTHONHOME="+filepath.Join(tree, "usr"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile Python modules: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// indexModules runs the root's own depmod.
func indexModules(ctx context.Context, tree string) error {
	releases, err := os.ReadDir(filepath.Join(tree, "usr/lib/uml/modules"))
	if err != nil {
		return fmt.Errorf("find kernel modules: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(tree, "usr/lib/modules"), 0o755); err != nil {
		return err
	}
	for _, release := range releases {
		link := filepath.Join(tree, "usr/lib/modules", release.Name())
		if err := os.Symlink("../uml/modules/"+release.Name(), link); err != nil {
			return err
		}
		cmd := program(ctx, tree, "usr/bin/kmod", "depmod", "-b", filepath.Join(tree, "usr"), release.Name())
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("index kernel modules: %w: %s", err, bytes.TrimSpace(out))
		}
		if _, err := os.Stat(filepath.Join(link, "modules.dep")); err != nil {
			return fmt.Errorf("index kernel modules: %w", fs.ErrNotExist)
		}
	}
	return nil
}
