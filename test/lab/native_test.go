package lab

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pointsman/pointsman/test/lab/debroot"
	"github.com/pointsman/pointsman/test/lab/kernel"
	"github.com/pointsman/pointsman/test/lab/uml"
)

// nativeEnv tells this test binary that the kernel around it can hold a fabric: a guest's.
const nativeEnv = "LAB_TEST_NATIVE"

// TestNative runs the fabric of TestEVPNPing in namespaces on the kernel around it, as root and as root of a user namespace. That kernel
// is the lab's own in a guest, since the host's may have no VRF.
func TestNative(t *testing.T) {
	switch os.Getenv(nativeEnv) {
	case "":
		inGuest(t)
	case "user":
		nativeFabric(t, "as root of a user namespace")
	default:
		t.Run("root", func(t *testing.T) { nativeFabric(t, "as root") })
		t.Run("user namespace", inUserNamespace)
	}
}

func nativeFabric(t *testing.T, who string) {
	var log bytes.Buffer
	root, err := debroot.Ensure(t.Context(), t.Output())
	must(t, err)
	must(t, kernel.Native(t.Context(), root, &log))
	if want := "lab: kernel: this host's own (--native), in namespaces, " + who + "\n"; log.String() != want {
		t.Errorf("announced %q, want %q", &log, want)
	}
	before := hostState(t)
	t.Run("fabric", func(t *testing.T) { testEVPNPing(t, Options{Native: true}) })
	if after := hostState(t); after != before {
		t.Errorf("the fabric left on its host:\n%s\nwhere there was:\n%s", after, before)
	}
}

// hostState is what a fabric must leave as it was: mounts, links, processes of nodes.
func hostState(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	must(t, err)
	links, err := exec.Command("ip", "-brief", "link").Output()
	must(t, err)
	daemons, err := exec.Command("sh", "-c", "ps -A -o comm= | grep -cE 'zebra|bgpd|staticd|bfdd'; true").Output()
	must(t, err)
	left, err := filepath.Glob("/dev/shm/pointsman-guest-*")
	must(t, err)
	return string(mounts) + string(links) + string(daemons) + strings.Join(left, "\n")
}

func inGuest(t *testing.T) {
	root, err := debroot.Ensure(t.Context(), t.Output())
	must(t, err)
	own, err := kernel.Ensure(t.Context(), t.Output())
	must(t, err)
	self, err := os.Executable()
	must(t, err)
	var out bytes.Buffer
	exit, err := uml.Run(t.Context(),
		uml.Config{Root: root, Kernel: own, Memory: memoryFor(8), ReadOnly: []string{root, filepath.Dir(self)}},
		uml.Command{
			Argv: []string{self, "-test.v", "-test.run=^TestNative$"}, Env: []string{nativeEnv + "=root", "XDG_CACHE_HOME=" + filepath.Dir(filepath.Dir(root))},
			Stdout: &out, Stderr: t.Output(), Timeout: 5 * time.Minute,
		})
	t.Logf("%s", &out)
	must(t, err)
	if exit != 0 {
		t.Errorf("in the guest: exit code %d", exit)
	}
}

// inUserNamespace runs the test again with no rights over the kernel around it but those of a user namespace's root.
func inUserNamespace(t *testing.T) {
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.v", "-test.run=^TestNative$")
	cmd.Env = append(os.Environ(), nativeEnv+"=user")
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1 << 16}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	must(t, err)
}
