// Package debroot owns the lab's Debian roots: directories in the user's cache that hold the programs of the guest (Debian 12 with
// FRR, Redis, ifupdown2, ...) and further FRRs beside it, unpacked without root and without running one package script.
//
// It never writes outside its cache directory and installs nothing on the host. Package uml boots the root it makes.
package debroot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"golang.org/x/sys/unix"
)

// CacheDir is where the lab keeps what it downloads and builds: $XDG_CACHE_HOME/pointsman, else ~/.cache/pointsman.
func CacheDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find cache directory: %w", err)
	}
	return filepath.Join(cache, "pointsman"), nil
}

// Ensure returns the path of the Debian 12 root and makes it first if it is not there (about 15 s with a fast mirror, 400 MB).
func Ensure(ctx context.Context, log io.Writer) (string, error) { return Debian12.Ensure(ctx, log) }

// Ensure returns the path of the release's root and makes it first if it is not there. Progress goes to log. It may be called by
// several processes at once: one of them makes the root, the others wait for it.
func (r Release) Ensure(ctx context.Context, log io.Writer) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	root := filepath.Join(cache, r.Name+"-"+r.Key())
	if isDir(root) {
		return root, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("create cache directory: %w", err)
	}
	unlock, err := Lock(ctx, filepath.Join(cache, r.Name+".lock"), "makes the root of "+r.Name, log)
	if err != nil {
		return "", err
	}
	defer unlock()
	if isDir(root) {
		return root, nil
	}
	if err := r.build(ctx, cache, root, log); err != nil {
		return "", fmt.Errorf("make the root of %s: %w", r.Name, err)
	}
	return root, nil
}

// build makes the root beside its final name and renames it there, so that a half-made root is never seen.
func (r Release) build(ctx context.Context, cache, root string, log io.Writer) (err error) {
	if err := checkHost(); err != nil {
		return err
	}
	removeLeftovers(cache, r.Name)
	work, err := os.MkdirTemp(cache, "making-"+r.Name+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := os.Chmod(work, 0o755); err != nil {
		return err
	}

	step := Steps(log)
	debs, err := r.fetch(ctx, filepath.Join(work, "apt"), r.Packages, step)
	if err != nil {
		return err
	}
	step("unpack %d packages", len(debs))
	tree := filepath.Join(work, "root")
	if err := Unpack(ctx, tree, debs); err != nil {
		return err
	}
	if err := finish(ctx, tree); err != nil {
		return err
	}
	if err := os.Rename(tree, root); err != nil {
		return err
	}
	step("ready: %s", root)
	return nil
}

// Steps returns a function that writes what is done now to log, with the time since the start.
func Steps(log io.Writer) func(format string, args ...any) {
	start := time.Now()
	return func(format string, args ...any) {
		fmt.Fprintf(log, "lab: %5.1fs  %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}
}

// Fetch downloads Debian 12 packages and everything they depend on, down to libc, with an apt of its own in dir, and returns the files.
func Fetch(ctx context.Context, dir string, packages []string, step func(format string, args ...any)) ([]string, error) {
	return Debian12.fetch(ctx, dir, packages, step)
}

func (r Release) fetch(ctx context.Context, dir string, packages []string, step func(format string, args ...any)) ([]string, error) {
	if err := checkHost(); err != nil {
		return nil, err
	}
	a, err := newApt(ctx, dir, r.Suites, step)
	if err != nil {
		return nil, err
	}
	return a.fetch(ctx, packages)
}

// FetchNewest downloads one package of another of Debian's suites, without what it depends on: of those whose names match, that of the
// highest version. It returns the file.
func FetchNewest(ctx context.Context, dir, suite string, names *regexp.Regexp, step func(format string, args ...any)) (string, error) {
	if err := checkHost(); err != nil {
		return "", err
	}
	a, err := newApt(ctx, dir, []string{suite}, step)
	if err != nil {
		return "", err
	}
	return a.fetchNewest(ctx, names)
}

// removeLeftovers removes what a killed build of the same release left; the caller holds its lock, so no such build is running.
func removeLeftovers(cache, name string) {
	old, _ := filepath.Glob(filepath.Join(cache, "making-"+name+"-*"))
	for _, dir := range old {
		_ = os.RemoveAll(dir)
	}
}

// Lock takes a lock that other processes respect, waiting for one that does what it keeps to one.
func Lock(ctx context.Context, path, does string, log io.Writer) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	for waiting := false; ; waiting = true {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if !waiting {
			fmt.Fprintf(log, "lab: another process %s, waiting for it\n", does)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond): // flock(2) has no event to wait for together with a context
		}
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
