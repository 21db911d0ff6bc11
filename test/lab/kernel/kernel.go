// Package kernel owns the lab's own kernel: user-mode Linux built from Debian's source, with every family of nftables, which Debian's
// ready-made one lacks. It builds as an ordinary user, with a compiler of its own that is unpacked beside the source, so that a host
// needs none; nothing is installed. What it makes lies in the user's cache, and package uml boots it.
//
// The lab and the guest tests call it: Choose takes the kernel that is there, Ensure builds it.
package kernel

import (
	"context"
	"crypto/sha256"
	_ "embed" // for lab.config
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pointsman/pointsman/test/lab/debroot"
)

//go:embed lab.config
var config string

// sourcePackage is Debian 12's own kernel series.
const sourcePackage = "linux-source-6.1"

// toolPackages are what builds it, besides their dependencies and what every Debian system has.
var toolPackages = []string{"gcc", "libc6-dev", "binutils", "make", "bc", "flex", "bison", "m4", "xz-utils"}

// layout is raised when the way the kernel is built changes.
const layout = "1"

// key stands for how the kernel is built; the version of the source comes beside it.
func key() string {
	sum := sha256.Sum256([]byte(layout + sourcePackage + config))
	return hex.EncodeToString(sum[:6])
}

const (
	dirPrefix = "kernel-"
	binary    = "linux"
)

// Env names a kernel to boot in place of any other.
const Env = "POINTSMAN_LAB_KERNEL"

// Find returns the lab's own kernel of the newest source in a cache, or "" if none was built there.
func Find(cache string) string {
	found, _ := filepath.Glob(filepath.Join(cache, dirPrefix+"*-"+key(), binary))
	if len(found) == 0 {
		return ""
	}
	slices.SortFunc(found, func(a, b string) int { return compareVersions(filepath.Dir(a), filepath.Dir(b)) })
	return found[len(found)-1]
}

// compareVersions compares names by the numbers in them: 6.1.9 is before 6.1.10.
func compareVersions(a, b string) int {
	numbers := func(s string) (out []string) {
		for _, n := range strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
			out = append(out, fmt.Sprintf("%020s", n))
		}
		return out
	}
	return slices.Compare(numbers(a), numbers(b))
}

// Choose returns the kernel to boot over a Debian root: $POINTSMAN_LAB_KERNEL, else the lab's own if it was built, else Debian's. It
// tells log which, in one line.
func Choose(root string, log io.Writer) string {
	if named := os.Getenv(Env); named != "" {
		fmt.Fprintf(log, "lab: kernel: %s, from $%s\n", named, Env)
		return named
	}
	if own := Find(filepath.Dir(root)); own != "" {
		fmt.Fprintf(log, "lab: kernel: the lab's own, %s\n", filepath.Base(filepath.Dir(own)))
		return own
	}
	fmt.Fprintln(log, "lab: kernel: Debian's, whose nftables lack what self-protection needs (make lab-kernel builds the lab's own, in minutes)")
	return filepath.Join(root, "usr/bin/linux.uml")
}

// Ensure returns the path of the lab's own kernel and builds it first if it is not there (about 6 minutes on 2 CPUs). Progress goes to
// log. It may be called by several processes at once: one of them builds, the others wait for it.
func Ensure(ctx context.Context, log io.Writer) (string, error) {
	if named := os.Getenv(Env); named != "" {
		return named, nil
	}
	cache, err := debroot.CacheDir()
	if err != nil {
		return "", err
	}
	if own := Find(cache); own != "" {
		return own, nil
	}
	root, err := debroot.Ensure(ctx, log) // the new kernel is tried over it
	if err != nil {
		return "", err
	}
	unlock, err := debroot.Lock(ctx, filepath.Join(cache, "kernel.lock"), "builds the lab's kernel", log)
	if err != nil {
		return "", err
	}
	defer unlock()
	if own := Find(cache); own != "" {
		return own, nil
	}
	own, err := create(ctx, cache, root, log)
	if err != nil {
		return "", fmt.Errorf("build the lab's kernel: %w", err)
	}
	return own, nil
}

const workPrefix = "building-kernel-"

// create builds the kernel beside its final name, tries it and renames it there, so that a kernel that lacks something is never seen.
func create(ctx context.Context, cache, root string, log io.Writer) (own string, err error) {
	left, _ := filepath.Glob(filepath.Join(cache, workPrefix+"*")) // by builds that were killed; the caller holds the lock
	for _, dir := range left {
		_ = os.RemoveAll(dir)
	}
	work, err := os.MkdirTemp(cache, workPrefix)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	b := &build{work: work, root: root, step: debroot.Steps(log)}
	version, err := b.fetch(ctx)
	if err != nil {
		return "", err
	}
	if err := b.compile(ctx); err != nil {
		return "", err
	}
	if err := b.probe(ctx); err != nil {
		return "", err
	}
	final := filepath.Join(cache, dirPrefix+version+"-"+key())
	if err := os.Rename(b.out(), final); err != nil {
		return "", err
	}
	b.step("ready: %s", final)
	return filepath.Join(final, binary), nil
}
