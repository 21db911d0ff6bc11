package guest

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pointsman/pointsman/pkg/speaker"
)

// TestSpeakersEnd: speakers with an ASN of their own, one after the other in one process, each with a session, leave nothing
// behind: what a machine is that is allocated again and again.
func TestSpeakersEnd(t *testing.T) {
	f := newFabric(t, "")
	ip(t, "-n leaf0 link del swp1\nlink add own0 mtu 9000 type veth peer name swp1 netns leaf0")
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", "own0").Run() })
	run(t, "sysctl", "-qw", "net.ipv6.conf.own0.accept_dad=0")
	run(t, "ip", "netns", "exec", "leaf0", "sysctl", "-qw", "net.ipv6.conf.swp1.accept_dad=0")
	ip(t, "-n leaf0 link set swp1 up\nlink set own0 up")
	var first, last int
	for i := range 6 {
		took := speakOnce(t, uint32(machineASN+i))
		within(t, closed, "miss the speaker", func() error {
			if n, err := f.neighbour(0); err != nil || n.State == "Established" {
				return fmt.Errorf("leaf 0 sees %+v, error %w", n, err)
			}
			return nil
		})
		within(t, limit, "end every goroutine of the speaker", func() error {
			last = runtime.NumGoroutine()
			if i > 0 && last > first {
				return fmt.Errorf("%d goroutines, %d after the first speaker", last, first)
			}
			return nil
		})
		if i == 0 {
			time.Sleep(time.Second) // the ends of the first speaker's goroutines are what the others are compared with
			first = runtime.NumGoroutine()
		}
		t.Logf("ASN %d: default routes after %v; %d goroutines are left", machineASN+i, took.Round(time.Millisecond), last)
	}
}

// speakOnce runs a speaker until it has learned both default routes.
func speakOnce(t *testing.T, asn uint32) time.Duration {
	t.Helper()
	var learned atomic.Int64
	s, err := speaker.New(speaker.Config{
		ASN: asn, RouterID: netip.MustParseAddr(address4), Uplinks: []speaker.Uplink{{Interface: "own0"}},
		Announce: []speaker.Route{{Prefix: netip.MustParsePrefix(address4 + "/32")}},
		OnRoutes: func(routes map[netip.Prefix][]speaker.NextHop) { learned.Store(int64(len(routes))) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	took := within(t, limit, "learn two defaults and a network", func() error {
		if n := learned.Load(); n != 3 {
			return fmt.Errorf("%d routes", n)
		}
		return nil
	})
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(closed):
		t.Fatal("the speaker does not end")
	}
	return took
}
