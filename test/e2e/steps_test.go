package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/fabric"
)

const (
	phaseLimit   = 60 * time.Second
	releaseLimit = 60 * time.Second
)

// network creates a network for one script and deletes it at its end.
func network(ctx context.Context, t *testing.T, f *fabric.Fabric, id string, prefixes ...string) *apiv1.Network {
	t.Helper()
	n, err := f.API.CreatePrivateNetwork(ctx, id, prefixes...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if shared.f != f {
			return // it ended with the script's failure
		}
		ctx, cancel := context.WithTimeout(context.Background(), releaseLimit)
		defer cancel()
		if err := f.API.DeleteNetwork(ctx, id); err != nil {
			t.Errorf("delete network %s: %v", id, err)
		}
	})
	return n
}

// allocate allocates a machine and waits until it is reachable.
func allocate(ctx context.Context, t *testing.T, f *fabric.Fabric, network, machine string) *apiv1.Allocation {
	t.Helper()
	a, err := f.API.Allocate(ctx, network, machine)
	if err != nil {
		t.Fatalf("allocate %s in %s: %v", machine, network, err)
	}
	waitPhase(ctx, t, f, a.Id, apiv1.Phase_PHASE_REACHABLE)
	return a
}

func waitPhase(ctx context.Context, t *testing.T, f *fabric.Fabric, allocation string, phase apiv1.Phase) *apiv1.Receipt {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, phaseLimit)
	defer cancel()
	receipt, err := f.API.WaitPhase(ctx, allocation, phase)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

// release releases allocations and waits until their machines are free.
func release(ctx context.Context, t *testing.T, f *fabric.Fabric, allocations ...*apiv1.Allocation) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, releaseLimit)
	defer cancel()
	var machines []string
	for _, a := range allocations {
		if err := f.API.Release(ctx, a.Id); err != nil {
			t.Fatalf("release %s: %v", a.Id, err)
		}
		machines = append(machines, a.Machine)
	}
	if err := f.API.WaitFree(ctx, machines...); err != nil {
		t.Fatal(err)
	}
}

// addresses are an allocation's own.
func addresses(t *testing.T, a *apiv1.Allocation) []netip.Addr {
	t.Helper()
	var out []netip.Addr
	for _, attachment := range a.GetAttachments() {
		for _, text := range attachment.Addresses {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, addr)
		}
	}
	return out
}

func sameFamily(t *testing.T, a *apiv1.Allocation, target netip.Addr) netip.Addr {
	t.Helper()
	for _, own := range addresses(t, a) {
		if own.Is4() == target.Is4() {
			return own
		}
	}
	t.Fatalf("allocation %s has no address of the family of %s", a.Id, target)
	return netip.Addr{}
}

// reach asserts that one allocation's machine reaches all addresses of the other.
func reach(ctx context.Context, t *testing.T, f *fabric.Fabric, from, to *apiv1.Allocation, size int) {
	t.Helper()
	for _, target := range addresses(t, to) {
		if err := f.Reach(ctx, from.Machine, fabric.Ping{To: target, From: sameFamily(t, from, target), Size: size}); err != nil {
			t.Fatalf("%s does not reach %s with %d bytes: %v", from.Machine, to.Machine, size, err)
		}
	}
}

// reachNot asserts that a ping is not answered. The caller has shown that such a ping can be. Several may run at once.
func reachNot(ctx context.Context, t *testing.T, f *fabric.Fabric, node string, p fabric.Ping, what string) {
	t.Helper()
	p.Count = 2
	r, err := f.Ping(ctx, node, p)
	if err != nil {
		t.Error(err)
	}
	if r.Received != 0 {
		t.Errorf("%s: %s reaches %s: %d of %d packets came back", what, node, p.To, r.Received, r.Sent)
	}
}

// hops asserts the number of next hops of the one route that matches.
func hops(ctx context.Context, t *testing.T, f *fabric.Fabric, node string, want int, family string, args ...string) {
	t.Helper()
	routes, err := f.Routes(ctx, node, family, args...)
	if err != nil {
		t.Fatal(err)
	}
	if len(routes) != 1 || len(routes[0].NextHops) != want {
		t.Errorf("%s: ip %s route show %s: want one route with %d next hops, have %+v", node, family, strings.Join(args, " "), want, routes)
	}
}

// sh runs a shell script in a node.
func sh(ctx context.Context, t *testing.T, f *fabric.Fabric, node, script string, args ...any) string {
	t.Helper()
	out, err := f.Lab.Run(ctx, node, "sh", "-c", fmt.Sprintf(script, args...))
	if err != nil {
		t.Fatal(err)
	}
	return out
}
