package linux

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/test/frrguest"
	"github.com/pointsman/pointsman/test/lab/guesttest"
)

func TestMain(m *testing.M) { guesttest.Main(m, frrguest.Releases()...) }

var netipValues = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

// fakeFRR is FRR as text: it accepts what the model says it would.
type fakeFRR struct {
	running, saved frr.Config
	configured     int
}

func (f *fakeFRR) Running(context.Context) (frr.Config, error) { return f.running, nil }
func (f *fakeFRR) Saved(context.Context) (frr.Config, error)   { return f.saved, nil }
func (f *fakeFRR) Apply(_ context.Context, changes []frr.Change) []error {
	f.configured += len(changes)
	f.running = frr.Patch(f.running, changes)
	return make([]error, len(changes))
}
func (f *fakeFRR) Save(_ context.Context, text string) (err error) {
	f.saved, err = frr.Parse(text)
	return err
}

// leaf is a switch in a network namespace of its own, with real devices. Its test keeps to one thread, whose namespace it is.
type leaf struct {
	*testing.T
	*System
	frr      *fakeFRR // nil with real FRR
	machines []int    // process of each port's machine
	stored   plan.Assignments
}

const portCount = 4

func newLeaf(t *testing.T) *leaf {
	t.Helper()
	l := newDevices(t)
	l.frr = &fakeFRR{}
	l.open(l.frr)
	return l
}

// open begins to work on the devices.
func (l *leaf) open(routing FRR) {
	l.Helper()
	l.openWith(Options{FRR: routing})
}

func (l *leaf) openWith(o Options) {
	l.Helper()
	o.Management = []string{"eth0", "up0"}
	var err error
	if l.System, err = New(o); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(l.System.Close)
}

// newDevices makes the ports of a leaf, and the machines on them.
func newDevices(t *testing.T) *leaf {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread goes with the goroutine, and the namespace with it
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	l := &leaf{T: t}
	for i := 1; i <= portCount; i++ {
		machine := l.machine()
		l.machines = append(l.machines, machine)
		// Where both ends happen to have one index, the kernel takes the link for no pair, and notices its carrier up to a second late.
		l.ip("link add swp%d index %d type veth peer name m%d netns %d", i, 100+i, i, machine)
		l.run(fmt.Sprintf("nsenter -t %d -n ip link set m%d mtu 9216 up", machine, i))
	}
	l.ip("link add eth0 type veth peer name up0")
	return l
}

// machine starts a process in a namespace of its own, which is the machine on a port.
func (l *leaf) machine() int {
	l.Helper()
	cmd := exec.Command("unshare", "-n", "sleep", "300")
	if err := cmd.Start(); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	// Until it has left our namespace, it is no other.
	own, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		l.Fatal(err)
	}
	for {
		other, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid))
		if err != nil {
			l.Fatal(err)
		}
		if other != own {
			return cmd.Process.Pid
		}
		runtime.Gosched()
	}
}

func (l *leaf) ip(format string, args ...any) string {
	l.Helper()
	return l.run("ip " + fmt.Sprintf(format, args...))
}

func (l *leaf) run(command string) string {
	l.Helper()
	words := strings.Fields(command)
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		l.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

func leafIntent(ports ...netmodel.PortIntent) plan.Intent {
	intent := plan.Intent{
		Config: netmodel.SwitchConfig{
			Switch: "leaf1", Role: netmodel.RoleLeaf, Loopback: netip.MustParseAddr("10.255.0.11"), ASN: 4200000011,
			Ports:        []netmodel.SwitchPort{{Name: "swp4", Role: netmodel.PortUplink}},
			Provisioning: netmodel.Provisioning{VLAN: 20, Addresses: []netip.Prefix{netip.MustParsePrefix("10.20.1.1/24"), netip.MustParsePrefix("fd00:20:1::1/64")}},
		},
		Ports: map[string]netmodel.PortIntent{},
	}
	for _, p := range []string{"swp1", "swp2", "swp3"} {
		intent.Config.Ports = append(intent.Config.Ports, netmodel.SwitchPort{Name: p, Role: netmodel.PortMachine})
		intent.Ports[p] = netmodel.PortIntent{Port: p, Mode: netmodel.ModeProvisioning}
	}
	for _, p := range ports {
		intent.Ports[p.Port] = p
	}
	return intent
}

func tenantPort(port string, vni netmodel.VNI, host byte) netmodel.PortIntent {
	return netmodel.PortIntent{
		Port: port, Mode: netmodel.ModeVRF, VRF: netmodel.VRFName(vni), VNI: vni, PeerASN: 4201000000 + netmodel.ASN(host),
		Grants: []netmodel.Grant{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, host}), 32)}},
	}
}

// plan observes and compares.
func (l *leaf) plan(intent plan.Intent) (plan.State, []plan.Op) {
	l.Helper()
	observed, err := l.Observe(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	if len(observed.Unknown) > 0 {
		l.Fatalf("unknown: %v", observed.Unknown)
	}
	facts, err := l.Facts(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	want, assigned, problems, err := plan.Desired(intent, facts.Observing(observed, l.stored))
	if err != nil || len(problems) > 0 {
		l.Fatal(err, problems)
	}
	l.stored = assigned
	return want, plan.Diff(observed, want)
}

// converge leads the leaf to an intent in one pass, and compares what it is then with what was wanted.
func (l *leaf) converge(intent plan.Intent) []plan.Op {
	l.Helper()
	want, ops := l.plan(intent)
	for _, r := range l.Apply(l.Context(), ops) {
		if r.Err != nil {
			l.Error(r.Err)
		}
	}
	got, err := l.Observe(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	for name, p := range got.Kernel.Ports {
		p.OperUp = false
		got.Kernel.Ports[name] = p
	}
	for p, owner := range got.Kernel.Loopback {
		if owner == plan.Foreign {
			delete(got.Kernel.Loopback, p)
		}
	}
	for path := range got.Kernel.Sysctls {
		if _, ok := want.Kernel.Sysctls[path]; !ok {
			delete(got.Kernel.Sysctls, path)
		}
	}
	if diff := cmp.Diff(want.Kernel, got.Kernel, netipValues); diff != "" {
		l.Errorf("the switch is not as desired (-want +got):\n%s", diff)
	}
	if rest := plan.Diff(got, want); len(rest) > 0 {
		l.Errorf("a second pass has work: %v", rest)
	}
	return ops
}
