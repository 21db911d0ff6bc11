package kernelbench

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/agent/internal/system/conformance"
	"github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/test/frrguest"
)

// Backend is a network OS that carries out its steps one by one.
type Backend interface {
	system.Switch
	Executor(ctx context.Context) system.Executor
}

// Switch is a conformance.Switch on Devices, with FRR.
type Switch struct {
	*Devices
	// Daemons are FRR's, and Client speaks to them.
	Daemons *frrguest.FRR
	Client  *frr.Client
	open    func(*Switch) (Backend, error)
	now     Backend
	fail    func(plan.Op) error
}

var _ conformance.Switch = (*Switch)(nil)

// New makes the devices and starts FRR, of the first version that is asked for. open opens the backend on them, as often as the agent starts.
func New(t *testing.T, open func(*Switch) (Backend, error)) *Switch {
	t.Helper()
	s := &Switch{Devices: NewDevices(t), Daemons: frrguest.Versions()[0].Start(t, ""), open: open}
	s.Client = frr.New(frr.Options{Dir: s.Daemons.Dir, ConfigFile: filepath.Join(s.Daemons.Dir, "frr.conf"), Elsewhere: frr.Elsewhere{Command: s.Daemons.Command()}})
	t.Cleanup(func() { s.Client.Close() })
	return s
}

// Ports implements conformance.Switch.
func (s *Switch) Ports() ([3]string, string) { return [3]string{"swp1", "swp2", "swp3"}, "swp4" }

// Open implements conformance.Switch.
func (s *Switch) Open() system.System {
	s.Helper()
	b, err := s.open(s)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(b.Close)
	s.now = b
	return breakable{b, s}
}

// breakable is a backend whose writes can be made to fail.
type breakable struct {
	Backend
	bench *Switch
}

// Apply implements system.System.
func (b breakable) Apply(ctx context.Context, ops []plan.Op) []plan.Result {
	return system.Run(ops, conformance.Faulty(b.Executor(ctx), b.bench.fail))
}

// Break implements conformance.Switch.
func (s *Switch) Break(fail func(plan.Op) error) { s.fail = fail }

// Watch implements conformance.Switch.
func (s *Switch) Watch() <-chan string {
	s.Helper()
	kicks, done := make(chan string, 10000), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	watched := s.now
	Here(s.T, done, func() error { return watched.Watch(ctx, func(why string) { kicks <- why }) })
	s.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			s.Error(err)
		}
	})
	for range 100 { // until it hears of an address that comes and goes
		s.IP("addr add 192.0.2.77/32 dev lo")
		s.IP("addr del 192.0.2.77/32 dev lo")
		select {
		case <-kicks:
			return kicks
		case <-time.After(100 * time.Millisecond):
		}
	}
	s.Fatal("nobody watches")
	return nil
}

// Look implements conformance.Switch, by iproute2 and vtysh.
func (s *Switch) Look() conformance.View {
	s.Helper()
	v, err := conformance.KernelView(s.IP("-j -d link"), s.Command("bridge -j vlan"), s.shell("-d", "bgpd", "-c", "show running-config"),
		func(name string) bool { return strings.HasPrefix(name, "swp") })
	if err != nil {
		s.Fatal(err)
	}
	return v
}

func (s *Switch) shell(args ...string) string {
	s.Helper()
	out, err := s.Daemons.Shell(args...)
	if err != nil {
		s.Fatalf("%v: %s", err, out)
	}
	return out
}

// Plug implements conformance.Switch.
func (s *Switch) Plug(port string) {
	number := int(port[len("swp")] - '0')
	s.plug(number, port, s.Machines[number-1])
}

// Unplug implements conformance.Switch.
func (s *Switch) Unplug(port string) { s.IP("link del %s", port) }

// Disturb implements conformance.Switch.
func (s *Switch) Disturb(port string) { s.IP("link set %s mtu 1500", port) }

// Foreign implements conformance.Switch.
func (s *Switch) Foreign() func() string {
	s.Helper()
	for _, c := range []string{
		"ip link add mgmt type vrf table 1001", "ip link set up0 up", "ip link set eth0 master mgmt up", "ip addr add 192.0.2.1/24 dev eth0",
		"ip route add unreachable default metric 4278198272 table 1001", "ip addr add 192.0.2.99/32 dev lo",
		"ip link add docker0 type bridge", "ip link add vxlan9 type vxlan id 9 dstport 4789", "ip rule add pref 500 from 192.0.2.0/24 lookup 99",
	} {
		s.Command(c)
	}
	if out, err := s.Daemons.Load("ip prefix-list OPERATOR seq 5 permit 192.0.2.0/24\n"); err != nil {
		s.Fatalf("%v: %s", err, out)
	}
	return func() string {
		s.Helper()
		var operators []string
		for line := range strings.Lines(s.shell("-c", "show running-config")) {
			if strings.Contains(line, "OPERATOR") {
				operators = append(operators, line)
			}
		}
		return s.IP("-d -o link show mgmt") + s.IP("-o link show eth0") + s.IP("-o addr show eth0 scope global") + s.IP("route show table 1001") +
			s.IP("-o link show docker0") + s.IP("-o -d link show vxlan9") + s.IP("rule show pref 500") +
			strings.SplitAfter(s.IP("-o addr show dev lo to 192.0.2.99"), "scope")[0] + strings.Join(operators, "")
	}
}

// Listen implements conformance.Switch: it hears every group of route netlink but for neighbours, as the machines speak when they
// like, and what FRR is told.
func (s *Switch) Listen() func() []string {
	s.Helper()
	var groups []uint
	for g := uint(1); g <= 36; g++ {
		if g != unix.RTNLGRP_NEIGH && g != unix.RTNLGRP_ND_USEROPT {
			groups = append(groups, g)
		}
	}
	heard := Record(s.T, groups...)
	s.settled()
	_, from := s.Daemons.Log(0)
	return func() []string {
		var writes []string
		for _, m := range heard.Take() {
			writes = append(writes, fmt.Sprintf("netlink message type %d: %x", m.Header.Type, m.Data))
		}
		log, to := s.Daemons.Log(from)
		from = to
		return append(writes, Told(log)...)
	}
}

// settled waits until duplicate address detection, whose end is an event, is over on every device.
func (s *Switch) settled() {
	s.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		out, err := exec.Command("ip", "-6", "-o", "addr", "show", "tentative").CombinedOutput()
		if err != nil {
			s.Fatalf("%v: %s", err, out)
		}
		if strings.TrimSpace(string(out)) == "" {
			return
		}
	}
	s.Fatal("addresses are tentative for ever")
}

// commands are those in a log of FRR's.
var commands = regexp.MustCompile(`vty\[\d+\]@[^#>\n]*[#>] ([^\n]+)`)

// Told returns the commands in a log of FRR's that may change something.
func Told(log string) []string {
	var out []string
	for _, m := range commands.FindAllStringSubmatch(log, -1) {
		if word, _, _ := strings.Cut(strings.TrimSpace(m[1]), " "); word != "show" && word != "enable" && word != "end" {
			out = append(out, m[1])
		}
	}
	return out
}
