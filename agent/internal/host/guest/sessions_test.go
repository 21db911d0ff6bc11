package guest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const limit = 20 * time.Second

// routes are what the machine's kernel must hold with these uplinks.
func (f *fabric) routes(machine *netlink.Handle, uplinks ...int) []string {
	var ways []string
	for _, i := range uplinks {
		ways = append(ways, linkLocal(f.t, handleIn(f.t, fmt.Sprintf("leaf%d", i)), "swp1")+fmt.Sprintf("%%lan%d", i))
	}
	if len(ways) == 2 && ways[0] > ways[1] {
		ways[0], ways[1] = ways[1], ways[0]
	}
	out := []string{
		"0.0.0.0/0 metric 20 src " + address4 + " via " + strings.Join(ways, " "),
		"::/0 metric 20 src " + address6 + " via " + strings.Join(ways, " "),
	}
	for _, i := range uplinks {
		way := linkLocal(f.t, handleIn(f.t, fmt.Sprintf("leaf%d", i)), "swp1")
		out = append(out, fmt.Sprintf("10.98.%d.0/24 metric 20 src %s via %s%%lan%d", i, address4, way, i))
	}
	return out
}

// announced fails until a leaf has exactly the machine's addresses, by the machine's link-local address, and nothing it learned.
func (f *fabric) announced(i int, machine *netlink.Handle, asn uint32, four, six []string) error {
	via := linkLocal(f.t, machine, fmt.Sprintf("lan%d", i))
	var errs []error
	for family, addresses := range map[string][]string{"ipv4": four, "ipv6": six} {
		var want []string
		for _, a := range addresses {
			want = append(want, fmt.Sprintf("%s path %d via %s", a, asn, via))
		}
		have, err := f.received(i, family)
		if err == nil {
			err = expect(have, want)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("leaf %d, %s: %w", i, family, err))
		}
	}
	return errors.Join(errs...)
}

// up waits until everything is as an allocated machine's must be.
func (f *fabric) up(machine *netlink.Handle) {
	f.t.Helper()
	want := f.routes(machine, 0, 1)
	took := within(f.t, limit, "learn from both leaves", func() error { return expect(f.kernel(machine), want) })
	f.t.Logf("routes from both leaves in the kernel after %v", took.Round(time.Millisecond))
	for i := range f.leaf {
		within(f.t, limit, "announce to both leaves", func() error {
			return f.announced(i, machine, machineASN, []string{address4 + "/32"}, []string{address6 + "/128"})
		})
		via, leaf := linkLocal(f.t, machine, fmt.Sprintf("lan%d", i)), handleIn(f.t, fmt.Sprintf("leaf%d", i))
		within(f.t, limit, "have both leaves forward", func() error {
			return expect(f.forwards(leaf), []string{address4 + "/32 via " + via + "%swp1", address6 + "/128 via " + via + "%swp1"})
		})
	}
}

// TestUnnumbered: from an empty machine to sessions with both leaves, in the default VRF and in a tenant's, and back.
func TestUnnumbered(t *testing.T) {
	for _, vrf := range []string{"", "Vrf100001"} {
		t.Run("vrf="+vrf, func(t *testing.T) {
			f := newFabric(t, vrf)
			machine := handleIn(t, "machine")
			f.start("")
			within(t, limit, "say that it runs", func() error { _, err := f.status(); return err })
			if have := append(f.kernel(machine), loopback(t, machine)...); len(have) > 0 {
				t.Errorf("a machine without a file has %q", have)
			}
			f.allocate(machineASN, address4+"/32", address6+"/128")
			f.up(machine)
			if err := expect(loopback(t, machine), []string{address4 + "/32", address6 + "/128"}); err != nil {
				t.Errorf("loopback: %v", err)
			}
			for _, target := range []string{"10.99.0.1", "fd00:99::1"} {
				run(t, "ip", "netns", "exec", "machine", "ping", "-c", "2", "-i", "0.2", "-W", "2", target)
			}
			n, err := f.neighbour(0)
			if err != nil || n.RemoteAS != machineASN || n.HoldTime != 9000 {
				t.Errorf("leaf 0 sees %+v, %v", n, err)
			}
			rss, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.process.Process.Pid))
			for line := range strings.Lines(string(rss)) {
				if strings.HasPrefix(line, "VmRSS") {
					t.Log("the speaker's memory: ", strings.TrimSpace(line))
				}
			}

			if err := os.Remove(f.machineFile()); err != nil {
				t.Fatal(err)
			}
			took := within(t, limit, "leave", func() error { return expect(append(f.kernel(machine), loopback(t, machine)...), nil) })
			t.Logf("addresses and routes gone %v after the machine file", took.Round(time.Millisecond))
			for i := range f.leaf {
				within(t, closed, "close the session", func() error {
					if n, err = f.neighbour(i); err != nil || n.State == "Established" {
						return fmt.Errorf("leaf %d sees %+v, error %w", i, n, err)
					}
					return f.announced(i, machine, machineASN, nil, nil)
				})
				t.Logf("leaf %d was told %q", i, n.Reason)
			}
		})
	}
}

// TestBringUp measures from a link that comes up to routes in the kernel.
func TestBringUp(t *testing.T) {
	f := newFabric(t, "")
	machine := handleIn(t, "machine")
	f.allocate(machineASN, address4, address6)
	f.start("")
	f.up(machine)
	both, one := f.routes(machine, 0, 1), f.routes(machine, 1)
	for range 5 {
		ip(t, "-n leaf0 link set swp1 down")
		// The kernel tells of a carrier that is lost at most once a second (net/core/link_watch.c).
		told := within(t, limit, "lose the carrier", func() error { return running(machine, "lan0") })
		down := within(t, limit, "withdraw a dead uplink", func() error { return expect(f.kernel(machine), one) })
		if down > withdrawn {
			t.Errorf("a dead uplink's routes went %v after the kernel told", down)
		}
		ip(t, "-n leaf0 link set swp1 up")
		up := within(t, limit, "come back", func() error { return expect(f.kernel(machine), both) })
		t.Logf("carrier lost: told after %v, withdrawn %v later; carrier back: routes in %v",
			told.Round(time.Millisecond), down.Round(time.Millisecond), up.Round(time.Millisecond))
	}
}

// closed is under what the leaf takes to miss a neighbour that said nothing.
const closed = 5 * time.Second

// withdrawn is far under the hold time of 9 s, and over what a busy guest takes.
const withdrawn = 2 * time.Second

// running fails until a link is not.
func running(h *netlink.Handle, name string) error {
	link, err := h.LinkByName(name)
	if err == nil && link.Attrs().RawFlags&unix.IFF_RUNNING != 0 {
		err = fmt.Errorf("%s has a carrier", name)
	}
	return err
}
