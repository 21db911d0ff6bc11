package uml

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const runPrefix = "pointsman-guest-"

// runDir makes the directory of one guest on the host. The kernel keeps the guest's memory in a file there that it unlinks at once,
// so the directory lies in memory where there is room for it. A lock held by this process tells other processes that it is in use.
func runDir(memory string) (dir string, cleanup func(), err error) {
	bytes, err := parseSize(memory)
	if err != nil {
		return "", nil, err
	}
	parent := os.TempDir()
	if roomInMemory("/dev/shm", bytes) {
		parent = "/dev/shm"
	}
	removeStale(parent)
	dir, err = os.MkdirTemp(parent, runPrefix)
	if err != nil {
		return "", nil, err
	}
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		return "", nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return "", nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return dir, func() {
		_ = os.RemoveAll(dir)
		lock.Close()
	}, nil
}

// removeStale removes directories whose process was killed before it could.
func removeStale(parent string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, runPrefix+"*"))
	for _, dir := range dirs {
		lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
		if err != nil {
			continue // another user's, or one that is being made
		}
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.RemoveAll(dir)
		}
		lock.Close()
	}
}

// roomInMemory reports whether dir is a tmpfs that this user may write, that can hold programs' pages (user-mode Linux maps
// its memory executable), and that has room for the guest. A container's /dev/shm often has 64 MB.
func roomInMemory(dir string, bytes uint64) bool {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || fs.Type != unix.TMPFS_MAGIC || fs.Flags&unix.ST_NOEXEC != 0 {
		return false
	}
	return fs.Bavail*uint64(fs.Bsize) > bytes && unix.Access(dir, unix.W_OK|unix.X_OK) == nil
}

// parseSize reads a size as the kernel's mem= takes it: 512M, 1G.
func parseSize(text string) (uint64, error) {
	digits := strings.TrimRight(strings.ToUpper(text), "KMG")
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || len(text)-len(digits) > 1 {
		return 0, fmt.Errorf("memory %q is not a size such as 512M or 1G", text)
	}
	switch strings.ToUpper(text[len(digits):]) {
	case "K":
		n <<= 10
	case "M":
		n <<= 20
	case "G":
		n <<= 30
	}
	if n < 64<<20 {
		return 0, fmt.Errorf("memory %q is less than 64M", text)
	}
	return n, nil
}
