// Package kernel owns the lab's own kernel: user-mode Linux built from Debian's source, with every family of nftables, which Debian's
// ready-made one lacks. It builds as an ordinary user, with a compiler of its own that is unpacked beside the source, so that a host
// needs none; nothing is installed. What it makes lies in the user's cache, and package uml boots it.
//
// The lab and the guest tests call it: Choose takes the kernel that is there, Ensure builds it.
package kernel

import (
	"context"
	"crypto/sha256"
	_ "embed" // for lab.config and clock.patch
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/pointsman/pointsman/test/lab/debroot"
)

//go:embed lab.config
var config string

// clockPatch lets programs in the guest read the clock without a call to its kernel.
//
//go:embed clock.patch
var clockPatch string

// sources are where the source comes from, the best first. Since Linux 6.16, user-mode Linux runs programs under seccomp, where a
// system call costs a third of what it costs by ptrace, and the lab is twice as fast; Debian has such kernels among its backports.
// Where those cannot be had, or built, Debian 12's own serves.
var sources = []source{
	{suite: "trixie-backports", names: regexp.MustCompile(`^linux-source-[0-9.]+$`)},
	{names: regexp.MustCompile(`^linux-source-6\.1$`), suite: "bookworm"},
}

// source is a package of Linux's source in one of Debian's suites.
type source struct {
	suite string
	names *regexp.Regexp // of several that match, the newest
}

// toolPackages are what builds it, besides their dependencies and what every Debian system has.
var toolPackages = []string{"gcc", "libc6-dev", "binutils", "make", "bc", "flex", "bison", "m4", "patch", "xz-utils"}

// layout is raised when the way the kernel is built changes.
const layout = "3"

// key stands for how the kernel is built; the version of the source comes beside it.
func key() string {
	sum := sha256.Sum256([]byte(layout + config + clockPatch))
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
	slices.SortFunc(found, func(a, b string) int { return debroot.CompareVersions(filepath.Dir(a), filepath.Dir(b)) })
	return found[len(found)-1]
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

// Advice is what to tell those who saw times of a guest on Debian's kernel, and "" where another was chosen. (A demo on two cores: allocations
// reachable after 6.6 to 8.5 s on Debian's, 2.1 to 2.9 s on the lab's own.)
func Advice() string {
	cache, err := debroot.CacheDir()
	if err != nil || os.Getenv(Env) != "" || Find(cache) != "" {
		return ""
	}
	return "These are times of Debian's user-mode kernel. On the lab's own, which make lab-kernel builds once, in minutes, an allocation takes about a third."
}

// Ensure returns the path of the lab's own kernel and builds it first if it is not there (some minutes on 2 CPUs). Progress goes to
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

// attempt builds a kernel of one source, and tries it.
func (b *build) attempt(ctx context.Context, from source) (version string, err error) {
	for _, dir := range []string{b.source(), b.out()} {
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
	if version, err = b.fetchSource(ctx, from); err != nil {
		return "", err
	}
	if err := b.patch(ctx); err != nil {
		b.step("without the patch of the clock, the guest is slower: %v", err)
	}
	if err := b.compile(ctx); err != nil {
		return "", err
	}
	return version, b.probe(ctx)
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
	if err := b.fetchTools(ctx); err != nil {
		return "", err
	}
	var version string
	for i, from := range sources {
		if version, err = b.attempt(ctx, from); err == nil || ctx.Err() != nil || i == len(sources)-1 {
			break
		}
		b.step("no kernel from %s: %v", from.suite, err)
	}
	if err != nil {
		return "", err
	}
	final := filepath.Join(cache, dirPrefix+version+"-"+key())
	if err := os.Rename(b.out(), final); err != nil {
		return "", err
	}
	b.step("ready: %s", final)
	return filepath.Join(final, binary), nil
}
