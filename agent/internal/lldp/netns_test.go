package lldp

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

const insideEnv = "POINTSMAN_LLDP_NETNS"

// TestMain runs the tests in a network namespace of their own, as root or as root of a user namespace, so that they can make
// ports and touch none of the host's.
func TestMain(m *testing.M) {
	if os.Getenv(insideEnv) != "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	err := cmd.Run()
	if cmd.ProcessState != nil {
		os.Exit(cmd.ProcessState.ExitCode())
	}
	fmt.Fprintln(os.Stderr, "no network namespace to test LLDP in (neither root nor user namespaces allowed):", err)
	os.Exit(1)
}

func makeCable(t *testing.T, port, far string) {
	t.Helper()
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: port}, PeerName: far}
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatalf("add %s: %v", port, err)
	}
	for _, name := range []string{port, far} {
		l, err := netlink.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(l); err != nil {
			t.Fatal(err)
		}
	}
}

func cutCable(t *testing.T, port string) {
	t.Helper()
	l, err := netlink.LinkByName(port)
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkDel(l); err != nil {
		t.Fatal(err)
	}
}

type report struct {
	port string
	d    netmodel.Discovery
}

func awaitReport(t *testing.T, reports <-chan report, within time.Duration, what string) report {
	t.Helper()
	select {
	case r := <-reports:
		return r
	case <-time.After(within):
		t.Fatalf("%s: nothing reported within %v", what, within)
		return report{}
	}
}

// A real cable: the sender is heard, also after the port was deleted and made again, and a port that is gone has no neighbour.
func TestSendAndListenOnARealPort(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reports := make(chan report, 64)
	l := &Listener{
		Switch: "leaf01", Want: func(p string) bool { return p == "swp1" }, Log: slog.Default(),
		OnChange: func(port string, d netmodel.Discovery) { reports <- report{port, d} },
	}
	s := NewSender(SenderConfig{Interfaces: []string{"lan0"}, ChassisID: LocalChassisID(uuid), PortIDFromMAC: true, SystemName: "m01", Interval: time.Second, TTL: 2 * time.Second})
	done := make(chan error, 2)
	go func() { done <- l.Run(ctx) }()
	sending, stop := context.WithCancel(ctx)
	go func() { done <- s.Run(sending) }()
	defer func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}()

	makeCable(t, "swp1", "lan0") // both run already: a port that appears is followed
	r := awaitReport(t, reports, 5*time.Second, "first frame")
	far, err := net.InterfaceByName("lan0")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.d.Neighbours) != 1 || r.port != "swp1" || r.d.Switch != "leaf01" {
		t.Fatalf("reported %+v", r)
	}
	if n := r.d.Neighbours[0]; n.ChassisID != uuid || n.PortID != far.HardwareAddr.String() || n.SystemName != "m01" || n.PortDescription != "lan0" {
		t.Errorf("neighbour %+v", n)
	}
	h := l.Heard()
	if len(h) != 1 || h[0].Port != "swp1" || h[0].Neighbour.SystemName != "m01" || time.Until(h[0].Expires) <= 0 || time.Until(h[0].Expires) > 2*time.Second {
		t.Errorf("heard now %+v", h)
	}
	time.Sleep(1200 * time.Millisecond) // the next frame changes nothing but how long it counts
	if again := l.Heard(); len(again) != 1 || !again[0].Expires.After(h[0].Expires) {
		t.Errorf("heard again %+v, before %+v", again, h)
	}

	cutCable(t, "swp1")
	if r := awaitReport(t, reports, 5*time.Second, "port deleted"); len(r.d.Neighbours) != 0 {
		t.Errorf("a port that is gone has %+v", r.d.Neighbours)
	}
	if len(l.Heard())+len(l.Listening()) != 0 {
		t.Errorf("a port that is gone is still heard: %v, %v", l.Heard(), l.Listening())
	}
	makeCable(t, "swp1", "lan0")
	if r := awaitReport(t, reports, 5*time.Second, "port made again"); len(r.d.Neighbours) != 1 {
		t.Errorf("after the port came again: %+v", r.d.Neighbours)
	}

	stop()
	if r := awaitReport(t, reports, 5*time.Second, "silence"); len(r.d.Neighbours) != 0 {
		t.Errorf("after the TTL: %+v", r.d.Neighbours)
	}
	cutCable(t, "swp1")
	awaitReport(t, reports, 5*time.Second, "port deleted")
}

// What a switch sends itself, and other traffic, is not heard; and a port that went down and up again still hears.
func TestListenerHearsOnlyArrivingLLDP(t *testing.T) {
	makeCable(t, "swp2", "lan2")
	defer cutCable(t, "swp2")
	ctx, cancel := context.WithCancel(t.Context())
	reports := make(chan report, 64)
	l := &Listener{Want: func(p string) bool { return p == "swp2" }, Log: slog.Default(), OnChange: func(port string, d netmodel.Discovery) { reports <- report{port, d} }}
	own := NewSender(SenderConfig{Interfaces: []string{"swp2"}, ChassisID: LocalChassisID("leaf01"), Interval: 50 * time.Millisecond})
	done := make(chan error, 2)
	go func() { done <- l.Run(ctx) }()
	go func() { done <- own.Run(ctx) }()
	defer func() { cancel(); <-done; <-done }()
	select {
	case r := <-reports:
		t.Fatalf("heard itself: %+v", r)
	case <-time.After(400 * time.Millisecond):
	}

	link, err := netlink.LinkByName("swp2")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetDown(link); err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	far := NewSender(SenderConfig{Interfaces: []string{"lan2"}, ChassisID: LocalChassisID("m02"), Interval: 50 * time.Millisecond})
	go func() { done <- far.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if r := awaitReport(t, reports, 5*time.Second, "after down and up"); len(r.d.Neighbours) != 1 || r.d.Neighbours[0].ChassisID != "m02" {
		t.Errorf("heard %+v", r.d.Neighbours)
	}
}

// A port that was away for a moment, unnoticed, and is back under its old number is heard on.
func TestListenOnAPortThatWasAway(t *testing.T) {
	reports := make(chan report, 64)
	l := &Listener{
		Switch: "leaf01", Want: func(p string) bool { return p == "swp2" }, Log: slog.Default(),
		OnChange: func(port string, d netmodel.Discovery) { reports <- report{port, d} },
	}
	s := NewSender(SenderConfig{Interfaces: []string{"lan2"}, ChassisID: LocalChassisID(uuid), PortIDFromMAC: true, SystemName: "m02", Interval: time.Second, TTL: 2 * time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- l.Run(ctx) }()
	go func() { done <- s.Run(ctx) }()
	defer func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		cutCable(t, "swp2")
	}()
	makeCable(t, "swp2", "lan2")
	awaitReport(t, reports, 5*time.Second, "first frame")
	awayForAMoment(t, "swp2")
	r := awaitReport(t, reports, 5*time.Second, "port back")
	if len(r.d.Neighbours) == 0 { // it was noticed after all
		r = awaitReport(t, reports, 5*time.Second, "port back, after it was seen to be away")
	}
	if len(r.d.Neighbours) != 1 {
		t.Errorf("after the port was away: %+v", r.d.Neighbours)
	}
}

// awayForAMoment moves a port to another network namespace and back, up, with the number that it had.
func awayForAMoment(t *testing.T, port string) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	there, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	if err := netns.Set(here); err != nil {
		t.Fatal(err)
	}
	before, err := netlink.LinkByName(port)
	if err != nil {
		t.Fatal(err)
	}
	inside, err := netlink.NewHandleAt(there)
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	if err := netlink.LinkSetNsFd(before, int(there)); err != nil {
		t.Fatal(err)
	}
	away, err := inside.LinkByName(port)
	if err != nil {
		t.Fatal(err)
	}
	if err := inside.LinkSetNsFd(away, int(here)); err != nil {
		t.Fatal(err)
	}
	back, err := netlink.LinkByName(port)
	if err != nil {
		t.Fatal(err)
	}
	if back.Attrs().Index != before.Attrs().Index {
		t.Fatalf("the control: %s had number %d and has %d", port, before.Attrs().Index, back.Attrs().Index)
	}
	if err := netlink.LinkSetUp(back); err != nil {
		t.Fatal(err)
	}
}
