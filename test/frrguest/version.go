package frrguest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/test/lab/debroot"
	"github.com/pointsman/pointsman/test/lab/guesttest"
)

// Version is an FRR that tests run.
type Version struct {
	Name string
	// Daemons are those that a switch runs, in the order in which they start.
	Daemons []string
	// withoutFile are daemons that take no configuration file.
	withoutFile []string
	release     *debroot.Release // whose root has it; nil is the guest's own
}

var (
	// Debian12 is the FRR of the guest's own root.
	Debian12 = Version{Name: "8.4.4", Daemons: []string{"zebra", "bgpd", "bfdd", "staticd"}}
	// Debian13 has mgmtd.
	Debian13 = withMgmtd("10.3", &debroot.Debian13)
	// Unstable is the newest there is: its tests run when asked for.
	Unstable = withMgmtd("unstable", &debroot.Unstable)
)

func withMgmtd(name string, release *debroot.Release) Version {
	return Version{
		Name: name, Daemons: []string{"mgmtd", "zebra", "bgpd", "bfdd", "staticd"}, withoutFile: []string{"mgmtd", "staticd"}, release: release,
	}
}

// HasMgmtd reports whether zebra has left its configuration to mgmtd.
func (v Version) HasMgmtd() bool { return slices.Contains(v.Daemons, "mgmtd") }

// versionEnv names the one version to run the tests with.
const versionEnv = "POINTSMAN_FRR"

// Versions are those that tests run with: 8.4.4 and 10.3, or the one that $POINTSMAN_FRR names, "unstable" among them.
func Versions() []Version {
	name := os.Getenv(versionEnv)
	if name == "" {
		return []Version{Debian12, Debian13}
	}
	for _, v := range []Version{Debian12, Debian13, Unstable} {
		if v.Name == name {
			return []Version{v}
		}
	}
	panic("$" + versionEnv + ": no version " + name)
}

// Releases are the further roots that the versions need, for guesttest.Main.
func Releases() []debroot.Release {
	var out []debroot.Release
	for _, v := range Versions() {
		if v.release != nil {
			out = append(out, *v.release)
		}
	}
	return out
}

// Each runs a test with every version, as a subtest.
func Each(t *testing.T, run func(t *testing.T, v Version)) {
	t.Helper()
	for _, v := range Versions() {
		t.Run(v.Name, func(t *testing.T) { run(t, v) })
	}
}

// enter makes a root of the version's own, with all that its daemons write in memory, and takes it away with the test: mgmtd's further
// sockets lie in /run/frr whatever it is told. /tmp is the guest's, so that files have one name on both sides.
func (v Version) enter(t testing.TB) string {
	t.Helper()
	if v.release == nil {
		return ""
	}
	lower := guesttest.Root(*v.release)
	if lower == "" {
		t.Fatalf("the guest has no root with FRR %s: TestMain must call guesttest.Main(m, frrguest.Releases()...)", v.Name)
	}
	dir, err := os.MkdirTemp("/tmp", "root")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // user frr passes through
		t.Fatal(err)
	}
	root, upper, work := filepath.Join(dir, "root"), filepath.Join(dir, "upper"), filepath.Join(dir, "work")
	for _, d := range []string{root, upper, work} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mounts := []struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}{
		{"overlay", root, "overlay", 0, "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work},
		{"/proc", root + "/proc", "", unix.MS_BIND | unix.MS_REC, ""},
		{"/dev", root + "/dev", "", unix.MS_BIND | unix.MS_REC, ""},
		{"/tmp", root + "/tmp", "", unix.MS_BIND, ""},
	}
	t.Cleanup(func() {
		if err := unix.Unmount(root, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount the root of FRR %s: %v", v.Name, err)
		}
		_ = os.RemoveAll(dir)
	})
	for _, m := range mounts {
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			t.Fatalf("mount %s: %v", m.target, err)
		}
	}
	for _, d := range []string{"/run/frr", "/var/lib/frr", "/var/tmp/frr", "/var/log/frr", "/etc/frr"} {
		if err := os.MkdirAll(root+d, 0o755); err != nil {
			t.Fatal(err)
		}
		own(t, root+d)
	}
	return root
}
