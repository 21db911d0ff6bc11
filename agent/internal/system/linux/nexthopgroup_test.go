package linux

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pointsman/pointsman/agent/internal/system/conformance/kernelbench"
	"github.com/pointsman/pointsman/test/frrguest"
)

// One of two ways loses its link and has it again, and then the other: the group is whole again though zebra 8.4.4 forgets it, and the route that
// the kernel refused without it is installed.
func TestKeepNexthopGroups(t *testing.T) { frrguest.Each(t, testKeepNexthopGroups) }

func testKeepNexthopGroups(t *testing.T, v frrguest.Version) {
	l, daemons, client := leafWithFRR(t, v)
	for port := 1; port <= 2; port++ {
		l.IP("address add 10.0.%d.1/24 dev swp%d", port, port)
		l.IP("link set swp%d up", port)
	}
	if out, err := daemons.Load("ip route 10.9.0.0/24 10.0.1.2\nip route 10.9.0.0/24 10.0.2.2\n"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ways := func() int { return strings.Count(l.IP("route show 10.9.0.0/24"), "via ") }
	await := func(what string, want int) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ways() != want; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				groups, _ := daemons.Shell("-c", "show nexthop-group rib")
				t.Fatalf("%s: %d ways, want %d\n%s%s%s", what, ways(), want, l.IP("route"), l.IP("nexthop"), groups)
			}
		}
	}
	failed := func() bool {
		routes, err := client.FailedRoutes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(routes) > 0
	}
	flap := func() {
		t.Helper()
		await("before", 2)
		l.on(1, "ip link set m1 down")
		await("without link", 1)
		l.on(1, "ip link set m1 up")
	}
	flap()
	time.Sleep(2 * time.Second)
	t.Logf("the control: by itself, zebra has %d of 2 ways", ways())
	lost := ways() < 2
	l.on(2, "ip link set m2 down")
	time.Sleep(300 * time.Millisecond)
	l.on(2, "ip link set m2 up")
	time.Sleep(2 * time.Second)
	if failed() != lost {
		t.Errorf("the control: a zebra that loses ways (%t) fails to install its route when the other is lost, too: %t", lost, failed())
	}

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	kernelbench.Here(t, ended, func() error {
		l.KeepNexthopGroups(ctx, client)
		return nil
	})
	await("kept", 2)
	if failed() {
		t.Error("zebra takes its route for refused still")
	}
	for range 3 {
		flap()
	}
	await("kept after flaps", 2)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
