package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/pointsman/pointsman/agent/internal/advertise"
	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/pkg/speaker"
	"github.com/pointsman/pointsman/test/frrguest"
)

// withMetalCore is how the peer brings a session up.
const withMetalCore = "metal-core's settings: port first, address detection on, advertisements every 6 s, timers 2 8; FRR on the machine"

// side is a port of the leaf and the machine behind it, with the way that a session is brought up there.
type side struct {
	port, machine string   // the machine's network namespace; its own port is named like the leaf's
	advertise     string   // by the leaf
	timers        []string // of the leaf's neighbour
	detect        int      // duplicate addresses
	portFirst     bool
}

var (
	ourSide   = side{port: "swp1", machine: "host", advertise: "ipv6 nd ra-interval 1", timers: []string{"timers 3 9", "timers connect 1"}}
	metalSide = side{port: "swp2", machine: "metal", advertise: "ipv6 nd ra-interval 6", timers: []string{"timers 2 8"}, detect: 1, portFirst: true}
)

const (
	leafNS   = "leaf"
	leafBGP  = "router bgp 4200000001"
	metalBGP = "router bgp 4201000000"
)

// sessionRows brings a session up between a leaf and a machine in network namespaces, from the configuration of the neighbour until it
// is established. Our machine runs our speaker, the other FRR; each waits, its port up, as an installed machine does. Filters are left
// out on both sides.
func sessionRows(h *harness, o options) []Measured {
	leaf := newLeaf(h)
	startHelper(h, leafNS, "-advertise")
	startHelper(h, ourSide.machine, "-speak", ourSide.port)
	metal := newFRR(h, metalSide.machine)
	metal.send(in(metalBGP, "bgp router-id 10.0.0.2", "no bgp ebgp-requires-policy", "neighbor "+metalSide.port+" interface remote-as external", "neighbor "+metalSide.port+" timers 2 8")...)
	metal.send(in("interface "+metalSide.port, "ipv6 nd ra-interval 6", "no ipv6 nd suppress-ra")...)
	var ours, peer []time.Duration
	for range o.pairs {
		ours = append(ours, leaf.bringUp(ourSide))
		peer = append(peer, leaf.bringUp(metalSide))
	}
	row := newRow("session-bring-up", 0, withMetalCore, ours, peer)
	row.FRR = leaf.version
	return []Measured{row}
}

// newLeaf makes the three namespaces, the cables between them, and the leaf.
func newLeaf(h *harness) *bench {
	for _, name := range []string{leafNS, ourSide.machine, metalSide.machine} {
		h.run("ip", "netns", "add", name)
		h.ip(name, "link set lo up")
	}
	leaf := newFRR(h, leafNS)
	leaf.send(in(leafBGP, "bgp router-id 10.0.0.1", "no bgp ebgp-requires-policy")...)
	for i, s := range []side{ourSide, metalSide} {
		// Where both ends happen to have one index, the kernel takes the link for no pair, and notices its carrier up to a second late.
		h.ip(leafNS, fmt.Sprintf("link add %s index %d type veth peer name %s netns %s", s.port, 100+i, s.port, s.machine))
		leaf.send(in("interface "+s.port, s.advertise, "no ipv6 nd suppress-ra")...)
		for _, netns := range []string{leafNS, s.machine} {
			h.run("ip", "netns", "exec", netns, "sysctl", "-wq", fmt.Sprintf("net.ipv6.conf.%s.accept_dad=%d", s.port, s.detect))
		}
		h.ip(s.machine, "link set "+s.port+" up")
	}
	return leaf
}

func newFRR(h *harness, netns string) *bench {
	daemons := frrguest.Start(h, netns)
	b := &bench{harness: h, client: frrsystem.New(frrsystem.Options{
		Dir: daemons.Dir, ConfigFile: filepath.Join(daemons.Dir, "frr.conf"), DeviceWait: -1, // there are no devices to wait for
	})}
	h.Cleanup(func() { b.client.Close() })
	var err error
	b.version, err = b.client.Version(h.ctx)
	h.must(err)
	return b
}

// in are changes in one context.
func in(context string, lines ...string) []frr.Change {
	var out []frr.Change
	for _, line := range lines {
		out = append(out, frr.Change{Context: []string{context}, Line: line})
	}
	return out
}

func (b *bench) send(changes ...frr.Change) { b.must(b.client.Apply(b.ctx, changes)...) }

// bringUp brings a session up, says how long that took, and takes it down.
func (b *bench) bringUp(s side) time.Duration {
	var neighbour []frr.Change
	for _, setting := range append([]string{"interface remote-as external"}, s.timers...) {
		neighbour = append(neighbour, in(leafBGP, "neighbor "+s.port+" "+setting)...)
	}
	up := func() { b.ip(leafNS, "link set "+s.port+" up") }
	begin := time.Now()
	if s.portFirst {
		up()
	}
	b.send(neighbour...)
	if !s.portFirst {
		up()
	}
	for {
		session, err := b.client.Session(b.ctx, "", s.port)
		b.must(err)
		took := time.Since(begin)
		if session.Established {
			b.send(in(leafBGP, "no neighbor "+s.port+" interface")...)
			b.ip(leafNS, "link set "+s.port+" down")
			return took
		}
		if took > time.Minute {
			b.Fatalf("no session after %v: %+v", took, session)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// startHelper starts this program in a namespace, as what the agent or the machine's program does there, and waits until it does.
func startHelper(h *harness, netns string, args ...string) {
	self, err := os.Executable()
	h.must(err)
	cmd := exec.Command("ip", append([]string{"netns", "exec", netns, self}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	h.must(err)
	h.must(cmd.Start())
	h.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		h.Fatalf("start %q: %w", args, err)
	}
}

// speak is the machine: it speaks on an uplink until it is ended.
func speak(uplink string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})) // that a session ends is no news here
	s, err := speaker.New(speaker.Config{
		ASN: 4201000001, RouterID: netip.MustParseAddr("10.0.0.3"), Uplinks: []speaker.Uplink{{Interface: uplink}}, Log: log,
		OnSessions: func([]speaker.Session) { fmt.Println("speaks") },
	})
	if err != nil {
		return err
	}
	return s.Run(context.Background())
}

// advertiseHere is the agent's part on the leaf. The peer's port is left to FRR.
func advertiseHere() error {
	fmt.Println("advertises")
	advertise.Run(context.Background(), []string{metalSide.port}, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	return nil
}
