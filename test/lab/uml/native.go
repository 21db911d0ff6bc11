package uml

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A native guest has no kernel of its own: it is this program again as process 1 of new namespaces on the host's kernel. Its root,
// its network cable and its end are those of any guest; with its process 1, all its processes, mounts and links go.

// nativeEnv tells a guest's init that the kernel is the host's.
const nativeEnv = "POINTSMAN_GUEST_NATIVE"

// native is whether this process is in a native guest.
var native bool

// Descriptors that a native guest's init is started with.
const (
	cableFD     = 3
	firstLineFD = 4
)

const nativeNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC

func nativeAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: nativeNamespaces}
}

// lastID is the highest user or group ID that files and programs of the root use, nobody's aside.
const lastID = 115

// NativeRights says whether this process may start native guests: it must be root, of the host or of a user namespace in which the
// root's accounts exist. It returns which.
func NativeRights() (who string, err error) {
	const remedy = "run it as root, or in a user namespace that has them (unshare --map-root-user --map-auto CMD, which needs lines in /etc/subuid and /etc/subgid), or leave --native out"
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("user %d may make no namespaces with the accounts of FRR and other services: %s", os.Geteuid(), remedy)
	}
	for _, file := range []string{"uid_map", "gid_map"} {
		text, err := os.ReadFile(filepath.Join("/proc/self", file))
		if err != nil {
			return "", err
		}
		if !mapsAccounts(string(text)) {
			return "", fmt.Errorf("this user namespace's %s lacks some of the IDs 0 to %d: %s", file, lastID, remedy)
		}
	}
	if inUserNamespace() {
		return "as root of a user namespace", nil
	}
	return "as root", nil
}

// mapsAccounts reports whether a map of user_namespaces(7) has every ID up to lastID.
func mapsAccounts(text string) bool {
	next := 0
	for line := range strings.Lines(text) { // the kernel lists them by ID where they were written so, as newuidmap does
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return false
		}
		first, firstErr := strconv.Atoi(fields[0])
		count, countErr := strconv.Atoi(fields[2])
		if firstErr != nil || countErr != nil {
			return false
		}
		if first <= next {
			next = max(next, first+count)
		}
	}
	return next > lastID
}

// inUserNamespace reports whether this process is in another user namespace than the host's first.
func inUserNamespace() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && strings.Join(strings.Fields(string(text)), " ") != "0 0 4294967295"
}

// sources are directories of the host, opened before mounts of the guest could hide them.
type sources map[string]*os.File

// open opens a directory for a later bind.
func (s sources) open(path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	s[path] = os.NewFile(uintptr(fd), path)
	return nil
}

// bind shows an opened directory at target.
func (s sources) bind(path, target string, readOnly bool) error {
	file, ok := s[path]
	if !ok {
		return fmt.Errorf("mount %s: it was not opened", path)
	}
	if err := (Mount{fmt.Sprintf("/proc/self/fd/%d", file.Fd()), target, "", unix.MS_BIND, ""}).Do(); err != nil {
		return err
	}
	if !readOnly {
		return nil
	}
	// A remount would have to repeat the flags that a user namespace may not change.
	if err := unix.MountSetattr(unix.AT_FDCWD, target, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return fmt.Errorf("make %s read-only: %w", target, err)
	}
	return nil
}

func (s sources) close() {
	for _, file := range s {
		file.Close()
	}
}

// privateMounts keeps what the guest mounts from the host.
func privateMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	return nil
}

// bindDevices shows the host's devices in dev: root of a user namespace makes none.
func bindDevices(dev string) error {
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty", "net/tun"} {
		file := filepath.Join(dev, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, nil, 0o666); err != nil {
			return err
		}
		err := unix.Mount(filepath.Join("/dev", name), file, "", unix.MS_BIND, "")
		if errors.Is(err, os.ErrNotExist) && name == "net/tun" {
			return errors.New("this host has no /dev/net/tun, by which the fabric's management network is reached: modprobe tun, or leave --native out")
		}
		if err != nil {
			return fmt.Errorf("show /dev/%s: %w", name, err)
		}
	}
	return nil
}

// plugCable joins the cable to the host with a tap vec0, the name that a guest's kernel gives it.
func plugCable() error {
	unix.CloseOnExec(cableFD)
	var kind unix.Stat_t
	if err := unix.Fstat(cableFD, &kind); err != nil {
		return fmt.Errorf("find the cable: %w", err)
	}
	if kind.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return nil // a guest without a network
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq("vec0")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return fmt.Errorf("make tap vec0: %w", err)
	}
	if err := unix.SetNonblock(cableFD, true); err != nil {
		return err
	}
	tap, cable := os.NewFile(uintptr(fd), "tap"), os.NewFile(cableFD, "cable")
	go passFrames(cable, tap)
	go passFrames(tap, cable)
	return nil
}

// passFrames passes one frame with each call, as both ends give and take them. A frame that an end does not take is lost, as on any
// cable: a tap takes none while it is down.
func passFrames(to, from *os.File) {
	frame := make([]byte, 64<<10)
	for {
		n, err := from.Read(frame)
		switch {
		case err == nil:
			_, _ = to.Write(frame[:n])
		case !errors.Is(err, unix.EIO): // a tap that is down says EIO
			return
		}
	}
}
