package linux

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/conformance/kernelbench"
)

// Seen from outside, a port that moves is never up anywhere but in its old and its new VRF, and everybody else hears nothing.
func TestMovesAsSeenFromOutside(t *testing.T) {
	l := newLeaf(t)
	l.converge(leafIntent(tenantPort("swp1", 104001, 1), tenantPort("swp2", 104001, 2)))
	heard := kernelbench.Record(t, unix.RTNLGRP_LINK)
	for i, step := range []struct {
		intent plan.Intent
		allow  []string // masters in which swp1 may be up
	}{
		{leafIntent(tenantPort("swp1", 104002, 1), tenantPort("swp2", 104001, 2)), []string{"Vrf104001", "Vrf104002"}},
		{leafIntent(tenantPort("swp2", 104001, 2)), []string{"Vrf104002", "bridge"}},
		{leafIntent(tenantPort("swp1", 104001, 1), tenantPort("swp2", 104001, 2)), []string{"bridge", "Vrf104001"}},
	} {
		heard.Take()
		l.converge(step.intent)
		links, err := l.route.links()
		if err != nil {
			t.Fatal(err)
		}
		ends := map[bool]bool{}
		for _, m := range heard.Take() {
			li, err := parseLink(m.Data)
			if err != nil || m.Header.Type != unix.RTM_NEWLINK || len(m.Data) > 0 && m.Data[0] != unix.AF_UNSPEC {
				continue
			}
			if li.name == "swp2" || li.name == "Vrf104001" && i < 2 || li.name == "Vlan20" {
				t.Errorf("move %d disturbed %s", i, li.name)
			}
			if li.name != "swp1" || !li.up {
				continue
			}
			ok := false
			for _, name := range step.allow {
				ok = ok || links[li.master].name == name || li.master != 0 && links[li.master].name == "" && name != step.allow[1]
			}
			if !ok {
				t.Errorf("move %d: swp1 was up in %q (index %d)", i, links[li.master].name, li.master)
			}
			ends[links[li.master].name == step.allow[1]] = true
		}
		if !ends[true] {
			t.Errorf("move %d: swp1 was not heard to come up in %s", i, step.allow[1])
		}
	}
}

// Whoever changes the switch wakes the watcher, and says what; routes of others do not.
func TestWatch(t *testing.T) {
	l := newLeaf(t)
	l.converge(leafIntent(tenantPort("swp1", 104001, 1)))
	ctx, cancel := context.WithCancel(t.Context())
	kicks, routes := make(chan string, 1000), make(chan string, 1000)
	ready := make(chan error, 2)
	kernelbench.Here(t, ready, func() error { return l.Watch(ctx, func(why string) { kicks <- why }) })
	kernelbench.Here(t, ready, func() error {
		return l.WatchRoutes(ctx, func(table uint32, p netip.Prefix) { routes <- fmt.Sprint(table, " ", p) })
	})
	time.Sleep(200 * time.Millisecond)
	for _, c := range []struct{ command, why string }{
		{"ip link set swp2 mtu 1500", "link swp2"},
		{"ip rule add pref 77 lookup 77", "rule"},
		{"ip addr add 10.20.9.1/24 dev Vlan20", "address"},
		{"ip route del unreachable default metric 4278198272 table 1001", "unreachable default of table 1001"},
		{"bridge vlan add dev swp2 vid 99", "link swp2"},
		{"sysctl -q -w net.ipv4.conf.swp1.rp_filter=1", "sysctl"},
		{"ip link add veth9 type veth peer name veth10", "link veth9"},
	} {
		l.Command(c.command)
		expect(t, kicks, c.why, c.command)
	}
	time.Sleep(200 * time.Millisecond)
	for len(kicks) > 0 {
		<-kicks
	}
	l.IP("route add 10.9.9.0/24 dev swp1 table 1001")
	expect(t, routes, "1001 10.9.9.0/24", "a route")
	select {
	case why := <-kicks:
		t.Errorf("a foreign route woke the watcher: %s", why)
	case <-time.After(200 * time.Millisecond):
	}
	cancel()
	for range 2 {
		if err := <-ready; err != nil {
			t.Error(err)
		}
	}
}

func expect(t *testing.T, heard <-chan string, want, after string) {
	t.Helper()
	deadline := time.After(3 * time.Second)
	for {
		select {
		case got := <-heard:
			if got == want {
				return
			}
		case <-deadline:
			t.Errorf("after %q, nobody said %q", after, want)
			return
		}
	}
}
