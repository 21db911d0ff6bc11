package linux

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/agent/internal/system/conformance"
	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/test/frrguest"
)

// TestConformance runs the suite on a real kernel with real FRR.
func TestConformance(t *testing.T) { conformance.Run(t, bench{}) }

type bench struct{}

// Fresh implements conformance.Bench.
func (bench) Fresh(t *testing.T) conformance.Switch {
	b := &onBench{leaf: newDevices(t), daemons: frrguest.Start(t, "")}
	client := frrsystem.New(frrsystem.Options{Dir: b.daemons.Dir, ConfigFile: filepath.Join(b.daemons.Dir, "frr.conf")})
	t.Cleanup(func() { client.Close() })
	b.client = client
	return b
}

type onBench struct {
	*leaf
	daemons *frrguest.FRR
	client  *frrsystem.Client
	fail    func(plan.Op) error
}

// breakable is a System whose writes can be made to fail.
type breakable struct {
	*System
	bench *onBench
}

// Apply implements system.System.
func (b breakable) Apply(ctx context.Context, ops []plan.Op) []plan.Result {
	return system.Run(ops, conformance.Faulty(b.Executor(ctx), b.bench.fail))
}

func (b *onBench) Ports() ([3]string, string) { return [3]string{"swp1", "swp2", "swp3"}, "swp4" }

func (b *onBench) Open() system.System {
	b.Helper()
	b.open(b.client)
	return breakable{b.System, b}
}

func (b *onBench) Watch() <-chan string {
	kicks, done := make(chan string, 10000), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	watchHere(b.T, done, func() error { return b.System.Watch(ctx, func(why string) { kicks <- why }) })
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	b.heard(kicks)
	return kicks
}

// heard waits until the watcher hears of an address that comes and goes.
func (b *onBench) heard(kicks <-chan string) {
	b.Helper()
	for range 100 {
		b.ip("addr add 192.0.2.77/32 dev lo")
		b.ip("addr del 192.0.2.77/32 dev lo")
		select {
		case <-kicks:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	b.Fatal("nobody watches")
}

func (b *onBench) Look() conformance.View {
	b.Helper()
	running, err := b.daemons.Shell("-d", "bgpd", "-c", "show running-config")
	if err != nil {
		b.Fatalf("%v: %s", err, running)
	}
	v, err := conformance.KernelView(b.ip("-j -d link"), b.run("bridge -j vlan"), running, func(name string) bool { return strings.HasPrefix(name, "swp") })
	if err != nil {
		b.Fatal(err)
	}
	return v
}

func (b *onBench) Plug(port string) {
	number := int(port[len("swp")] - '0')
	b.ip("link add %s index %d type veth peer name m%d netns %d", port, 100+number, number, b.machines[number-1])
	b.run(fmt.Sprintf("nsenter -t %d -n ip link set m%d mtu 9216 up", b.machines[number-1], number))
}

func (b *onBench) Unplug(port string)             { b.ip("link del %s", port) }
func (b *onBench) Break(fail func(plan.Op) error) { b.fail = fail }
func (b *onBench) Disturb(port string)            { b.ip("link set %s mtu 1500", port) }

func (b *onBench) Foreign() func() string {
	for _, c := range []string{
		"ip link add mgmt type vrf table 1001", "ip link set up0 up", "ip link set eth0 master mgmt up", "ip addr add 192.0.2.1/24 dev eth0",
		"ip route add unreachable default metric 4278198272 table 1001", "ip addr add 192.0.2.99/32 dev lo",
		"ip link add docker0 type bridge", "ip link add vxlan9 type vxlan id 9 dstport 4789", "ip rule add pref 500 from 192.0.2.0/24 lookup 99",
	} {
		b.run(c)
	}
	if out, err := b.daemons.Load("ip prefix-list OPERATOR seq 5 permit 192.0.2.0/24\n"); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return func() string {
		running, err := b.daemons.Shell("-c", "show running-config")
		if err != nil {
			b.Fatal(err)
		}
		return b.ip("-d -o link show mgmt") + b.ip("-o link show eth0") + b.ip("-o addr show eth0 scope global") + b.ip("route show table 1001") +
			b.ip("-o link show docker0") + b.ip("-o -d link show vxlan9") + b.ip("rule show pref 500") +
			strings.SplitAfter(b.ip("-o addr show dev lo to 192.0.2.99"), "scope")[0] + about(running, "OPERATOR")
	}
}

// Listen hears every group of route netlink but for neighbours, as the machines speak when they like, and what FRR is told.
func (b *onBench) Listen() func() []string {
	var groups []uint
	for g := uint(1); g <= 36; g++ {
		if g != unix.RTNLGRP_NEIGH && g != unix.RTNLGRP_ND_USEROPT {
			groups = append(groups, g)
		}
	}
	heard := record(b.T, groups...)
	b.settled()
	_, from := b.daemons.Log(0)
	return func() []string {
		var writes []string
		for _, m := range heard.take() {
			writes = append(writes, fmt.Sprintf("netlink message type %d: %x", m.Header.Type, m.Data))
		}
		log, to := b.daemons.Log(from)
		from = to
		return append(writes, told(log)...)
	}
}

// settled waits until duplicate address detection, whose end is an event, is over on every device.
func (b *onBench) settled() {
	b.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		out, err := exec.Command("ip", "-6", "-o", "addr", "show", "tentative").CombinedOutput()
		if err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		if len(strings.TrimSpace(string(out))) == 0 {
			return
		}
	}
	b.Fatal("addresses are tentative for ever")
}
