package guest

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"
)

// TestLeafRestarts: bgpd killed and started anew, with the link up all the time.
func TestLeafRestarts(t *testing.T) {
	f := newFabric(t, "")
	machine := handleIn(t, "machine")
	f.allocate(machineASN, address4, address6)
	f.start("")
	f.up(machine)
	f.leaf[0].Kill(t, "bgpd")
	one := f.routes(machine, 1)
	within(t, limit, "lose the session", func() error { return expect(f.kernel(machine), one) })
	f.leaf[0].StartDaemon(t, "bgpd")
	f.configure(0)
	begin := time.Now()
	f.up(machine)
	t.Logf("a restarted leaf has its session %v after its configuration", time.Since(begin).Round(time.Millisecond))
}

// TestMachineFile: another address leaves the sessions up; another ASN is another BGP; a broken file changes nothing.
func TestMachineFile(t *testing.T) {
	f := newFabric(t, "")
	machine := handleIn(t, "machine")
	f.allocate(machineASN, address4, address6)
	f.start("")
	f.up(machine)
	before, err := f.neighbour(0)
	if err != nil {
		t.Fatal(err)
	}

	f.allocate(machineASN, address4, "10.1.0.6", address6)
	within(t, limit, "announce another address", func() error {
		return f.announced(0, machine, machineASN, []string{address4 + "/32", "10.1.0.6/32"}, []string{address6 + "/128"})
	})
	if err := os.WriteFile(f.machineFile(), []byte(`{"asn": "none"`), 0o644); err != nil {
		t.Fatal(err)
	}
	within(t, limit, "complain about the file", func() error {
		return f.logged("read machine file")
	})
	f.allocate(machineASN, address4, address6)
	within(t, limit, "withdraw an address", func() error {
		return f.announced(0, machine, machineASN, []string{address4 + "/32"}, []string{address6 + "/128"})
	})
	within(t, limit, "remove the address", func() error {
		return expect(loopback(t, machine), []string{address4 + "/32", address6 + "/128"})
	})
	if after, err := f.neighbour(0); err != nil || after.Dropped != before.Dropped || after.State != "Established" {
		t.Errorf("the session was %+v, is %+v (%v): it must not notice", before, after, err)
	}

	f.allocate(machineASN+1, address4, address6)
	within(t, limit, "speak with another ASN", func() error {
		return f.announced(0, machine, machineASN+1, []string{address4 + "/32"}, []string{address6 + "/128"})
	})
}

// logged fails until the speaker's log holds a text.
func (f *fabric) logged(text string) error {
	log, err := os.ReadFile(f.log.Name())
	if err != nil {
		return err
	}
	if !bytes.Contains(log, []byte(text)) {
		return fmt.Errorf("the log does not hold %q", text)
	}
	return nil
}

// TestTakeover: a speaker that is stopped closes its sessions and leaves addresses and routes; the next takes them over, without a
// moment in which the machine has no default route. What the machine file dropped in between goes.
func TestTakeover(t *testing.T) {
	f := newFabric(t, "")
	machine := handleIn(t, "machine")
	f.allocate(machineASN, address4, "10.1.0.6", address6)
	f.start("")
	want := f.routes(machine, 0, 1)
	within(t, limit, "learn from both leaves", func() error { return expect(f.kernel(machine), want) })
	f.stop()
	if n, err := f.neighbour(0); err != nil || n.State == "Established" {
		t.Errorf("after the speaker's end leaf 0 sees %+v, %v", n, err)
	}
	if err := expect(f.kernel(machine), want); err != nil {
		t.Errorf("routes of a stopped speaker: %v", err)
	}
	f.allocate(machineASN, address4, address6)
	var lost int
	f.start("")
	within(t, limit, "establish again", func() error {
		if len(f.kernel(machine)) < 3 {
			lost++
		}
		s, err := f.status()
		if err != nil || len(s.Sessions) != 2 || !s.Sessions[0].Established || !s.Sessions[1].Established {
			return fmt.Errorf("status is %+v, error %w", s, err)
		}
		return expect(loopback(t, machine), []string{address4 + "/32", address6 + "/128"})
	})
	if lost > 0 {
		t.Errorf("routes were missing %d times during the restart", lost)
	}
	f.up(machine)
}

// TestForeignRoutes: routes of somebody else's stay, even for the same destination.
func TestForeignRoutes(t *testing.T) {
	f := newFabric(t, "")
	machine := handleIn(t, "machine")
	ip(t, "-n machine link add mgmt0 type dummy\n-n machine address add 192.0.2.2/24 dev mgmt0\n-n machine link set mgmt0 up")
	ip(t, "-n machine route add default via 192.0.2.1 dev mgmt0 metric 1000 proto dhcp\n-n machine route add blackhole 10.98.0.0/24 metric 4096 proto static")
	foreign := func() string {
		return run(t, "ip", "-n", "machine", "route", "show", "proto", "dhcp") + run(t, "ip", "-n", "machine", "route", "show", "proto", "static")
	}
	before := foreign()
	f.allocate(machineASN, address4, address6)
	f.start("")
	f.up(machine)
	if after := foreign(); after != before {
		t.Errorf("foreign routes were %q, are %q", before, after)
	}
	if err := os.Remove(f.machineFile()); err != nil {
		t.Fatal(err)
	}
	within(t, limit, "leave", func() error { return expect(f.kernel(machine), nil) })
	if after := foreign(); after != before {
		t.Errorf("foreign routes were %q, are %q", before, after)
	}
}

// TestExtraAnnouncements: what host.yaml adds is announced with its communities; the filter is the leaf's.
func TestExtraAnnouncements(t *testing.T) {
	f := newFabric(t, "")
	f.allocate(machineASN, address4, address6)
	f.start(`extra-announcements:
  - prefix: 10.200.0.0/24
    communities: ["64512:1"]
    extended-communities: ["rt:64512:100002"]
    large-communities: ["4201000001:1:2"]
    as-path: [64513]
`)
	var answer struct {
		Paths []struct {
			ASPath            struct{ String string } `json:"aspath"`
			Community         struct{ String string }
			ExtendedCommunity struct{ String string }
			LargeCommunity    struct{ String string }
		}
	}
	within(t, limit, "announce 10.200.0.0/24", func() error {
		if err := f.vtysh(0, "show bgp VRF ipv4 unicast 10.200.0.0/24", &answer); err != nil || len(answer.Paths) != 1 {
			return fmt.Errorf("leaf 0 has %+v, error %w", answer, err)
		}
		return nil
	})
	p := answer.Paths[0]
	have := []string{p.ASPath.String, p.Community.String, p.ExtendedCommunity.String, p.LargeCommunity.String}
	want := []string{fmt.Sprintf("%d 64513", machineASN), "64512:1", "RT:64512:100002", "4201000001:1:2"}
	for i := range want {
		if have[i] != want[i] {
			t.Errorf("leaf 0 has %q, want %q", have[i], want[i])
		}
	}
}

// TestLateUplink: an uplink that appears after the speaker is used; its MAC is how it is known.
func TestLateUplink(t *testing.T) {
	f := newFabric(t, "")
	machine := handleIn(t, "machine")
	f.allocate(machineASN, address4, address6)
	ip(t, "-n machine link set lan0 name nic0")
	f.start("")
	one := f.routes(machine, 1)
	within(t, limit, "use lan1 and nic0, which is known by its MAC", func() error {
		have := f.kernel(machine)
		if len(have) != 4 {
			return expect(have, one)
		}
		return nil
	})
	ip(t, "-n machine link del nic0")
	within(t, limit, "use lan1 alone", func() error { return expect(f.kernel(machine), one) })
	ip(t, "link add lan0 netns machine mtu 9000 type veth peer name swp1 netns leaf0")
	run(t, "ip", "netns", "exec", "leaf0", "sysctl", "-qw", "net.ipv6.conf.swp1.accept_dad=0")
	ip(t, "-n leaf0 link set swp1 mtu 9000 up")
	f.allocate(machineASN, address4, address6) // with the new MAC
	f.up(machine)
}
