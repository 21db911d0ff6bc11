package uml

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Paths in the guest.
const (
	Lower   = "/run/lab/lower" // the Debian root, as it lies on the host
	hostDir = "/run/lab/host"  // the guest's directory on the host, writable
)

// Mode is what a guest is booted for: it runs as process 1, with the root, /proc, /sys, /dev and the modules in place, and
// what it returns is the guest's result.
type Mode func(spec json.RawMessage) (result any, err error)

var hooked bool

// Main takes over if this process is the init of a guest, and never returns then. Otherwise it does nothing. Programs
// that boot guests call it first thing in main (or TestMain).
func Main(modes map[string]Mode) {
	hooked = true
	dir := os.Getenv(specEnv)
	if os.Getpid() != 1 || dir == "" {
		return
	}
	native = os.Getenv(nativeEnv) != ""
	if err := guestMain(dir, modes); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
	}
	powerOff()
}

// powerOff ends the guest. The kernel of a native one is not its own to end.
func powerOff() {
	if native {
		os.Exit(0)
	}
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	os.Exit(1)
}

func guestMain(dir string, modes map[string]Mode) error {
	open := openGuest
	if native {
		open = openNative
	}
	spec, host, err := open(dir)
	if err != nil {
		return err
	}
	mode, ok := modes[spec.Mode]
	if !ok {
		return fmt.Errorf("no mode %q in this program", spec.Mode)
	}
	if err := enterRoot(spec, host); err != nil {
		return err
	}
	host.close()
	os.Clearenv()
	for _, kv := range Environment {
		name, value, _ := strings.Cut(kv, "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	if native {
		if err := plugCable(); err != nil {
			return err
		}
	} else {
		// No program is asked to handle the kernel's device events; without this, each device costs a fork.
		_ = os.WriteFile("/proc/sys/kernel/hotplug", []byte("\n"), 0)
	}
	result, err := mode(spec.Spec)
	if err != nil {
		return err
	}
	return writeResult(result)
}

// openGuest makes the first mounts and reads the spec. The directory is mounted and not read where it lies: the kernel has mounted a
// /dev of its own over the host's /dev/shm.
func openGuest(dir string) (spec bootSpec, host sources, err error) {
	for _, m := range []Mount{
		{"proc", "/proc", "proc", 0, ""},
		{"run", "/run", "tmpfs", 0, "mode=755"},
		{"none", hostDir, "hostfs", 0, dir},
	} {
		if err := m.Do(); err != nil {
			return spec, nil, err
		}
	}
	spec, err = readSpec(hostDir)
	return spec, nil, err
}

// openNative is openGuest where the host's files lie around it.
func openNative(dir string) (spec bootSpec, host sources, err error) {
	if spec, err = readSpec(dir); err != nil {
		return spec, nil, err
	}
	if err := privateMounts(); err != nil {
		return spec, nil, err
	}
	host = sources{}
	for _, path := range slices.Concat([]string{dir, spec.Root}, spec.ReadOnly, spec.Writable) {
		if err := host.open(path); err != nil {
			return spec, nil, err
		}
	}
	for _, m := range []Mount{{"proc", "/proc", "proc", 0, ""}, {"run", "/run", "tmpfs", 0, "mode=755"}} {
		if err := m.Do(); err != nil {
			return spec, nil, err
		}
	}
	return spec, host, host.bind(dir, hostDir, false)
}

func readSpec(dir string) (spec bootSpec, err error) {
	text, err := os.ReadFile(filepath.Join(dir, specFile))
	if err != nil {
		return spec, err
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		return spec, fmt.Errorf("decode spec: %w", err)
	}
	return spec, nil
}

// show makes a directory of the host seen at target: from where it lies by the guest's kernel, from what was opened in a native guest.
func show(host sources, path, target string, readOnly bool) error {
	if native {
		return host.bind(path, target, readOnly)
	}
	var flags uintptr
	if readOnly {
		flags = unix.MS_RDONLY
	}
	return Mount{"none", target, "hostfs", flags, path}.Do()
}

// Environment is what programs in the guest start with.
var Environment = []string{
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TMPDIR=/tmp", "LANG=C.UTF-8", "TERM=dumb",
}

func writeResult(result any) error {
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(hostDir, resultFile), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// enterRoot mounts the Debian root under an overlay, with what else a system needs, and makes it the root. From then on
// everything the guest writes goes to its memory.
func enterRoot(spec bootSpec, host sources) error {
	if err := show(host, spec.Root, Lower, true); err != nil {
		return err
	}
	if !native {
		if err := loadModules(Lower); err != nil {
			return err
		}
	}
	if err := MountRoot(Lower, "/run/lab/root", "/run/lab/upper"); err != nil {
		return err
	}
	if err := populate("/run/lab/root", spec, host); err != nil {
		return err
	}
	return PivotRoot("/run/lab/root")
}

// MountRoot mounts a root of its own at target: that of lower, which is Lower or a directory that was shown to the guest, with all changes
// kept in upper, which must lie on a tmpfs.
func MountRoot(lower, target, upper string) error {
	work := upper + ".work"
	for _, d := range []string{upper, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	options := "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work
	if inUserNamespace() {
		options += ",userxattr" // attributes "trusted." are the first namespace's alone
	}
	return Mount{"overlay", target, "overlay", 0, options}.Do()
}

func populate(root string, spec bootSpec, host sources) error {
	mounts := []Mount{
		{"proc", root + "/proc", "proc", 0, ""},
		{"sysfs", root + "/sys", "sysfs", 0, ""},
		{"dev", root + "/dev", "tmpfs", 0, "mode=755"},
		{"devpts", root + "/dev/pts", "devpts", 0, "newinstance,ptmxmode=666,mode=620"},
		{"shm", root + "/dev/shm", "tmpfs", 0, "mode=1777"},
		{"tmp", root + "/tmp", "tmpfs", 0, "mode=1777"},
		{"/run", root + "/run", "", unix.MS_BIND | unix.MS_REC, ""},
	}
	for _, m := range mounts {
		if err := m.Do(); err != nil {
			return err
		}
	}
	for _, d := range spec.ReadOnly {
		if err := show(host, d, root+d, true); err != nil {
			return err
		}
	}
	for _, d := range spec.Writable { // last: they may lie within the others
		if err := show(host, d, root+d, false); err != nil {
			return err
		}
	}
	if err := makeDevices(root + "/dev"); err != nil {
		return err
	}
	return MakeServiceDirs(root)
}

// MakeServiceDirs makes the directories that the packages' scripts and boot units would have made under /run and /var.
func MakeServiceDirs(root string) error {
	for _, d := range []struct {
		path string
		uid  int
		mode os.FileMode
	}{
		{"/run/frr", 110, 0o755}, {"/var/log/frr", 110, 0o755}, {"/etc/frr", 110, 0o755},
		{"/run/redis", 112, 0o755}, {"/var/lib/redis", 112, 0o755}, {"/var/log/redis", 112, 0o755},
		{"/run/lldpd", 113, 0o755}, {"/run/bird", 114, 0o755}, {"/run/lock", 0, 0o755}, {"/run/network", 0, 0o755},
	} {
		path := root + d.path
		if err := os.MkdirAll(path, d.mode); err != nil {
			return err
		}
		if err := os.Chown(path, d.uid, d.uid); err != nil {
			return err
		}
	}
	return nil
}

// Mount is one mount(2).
type Mount struct {
	Source, Target, Type string
	Flags                uintptr
	Data                 string
}

// Do makes the mount, and the directory it lies over if that is not there.
func (m Mount) Do() error {
	if err := os.MkdirAll(m.Target, 0o755); err != nil && !errors.Is(err, unix.EROFS) && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := unix.Mount(m.Source, m.Target, m.Type, m.Flags, m.Data); err != nil {
		return fmt.Errorf("mount %s %s at %s: %w", m.Type, m.Source, m.Target, err)
	}
	return nil
}

// makeDevices makes the device nodes by hand: the host's /dev may be a container's that lacks some. A native guest has the host's.
func makeDevices(dev string) error {
	nodes := []struct {
		name         string
		major, minor uint32
	}{
		{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"kmsg", 1, 11},
		{"tty", 5, 0}, {"console", 5, 1}, {"ttyS0", 4, 64}, {"ttyS1", 4, 65}, {"ttyS2", 4, 66}, {"net/tun", 10, 200},
	}
	if native {
		if err := bindDevices(dev); err != nil {
			return err
		}
		nodes = nil
	}
	for _, n := range nodes {
		file := filepath.Join(dev, n.name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := unix.Mknod(file, unix.S_IFCHR|0o666, int(unix.Mkdev(n.major, n.minor))); err != nil {
			return fmt.Errorf("make device %s: %w", n.name, err)
		}
		if err := os.Chmod(file, 0o666); err != nil { // mknod minds the umask
			return err
		}
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"} {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	return nil
}

// PivotRoot makes root, which must be a mount, the root of this process's mount namespace.
func PivotRoot(root string) error {
	if err := unix.Chdir(root); err != nil {
		return err
	}
	// Both arguments "." stack the old root over the new one, from where it is taken off: pivot_root(2), NOTES.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot root to %s: %w", root, err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount old root: %w", err)
	}
	return unix.Chdir("/")
}
