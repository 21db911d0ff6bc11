package e2e

import (
	"context"
	"testing"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/fabric"
	"github.com/pointsman/pointsman/test/lab"
)

// TestForeignSpeakers: machines that run BIRD or FRR, and lldpd, are discovered, allocated, moved and released like ours, over both
// families and both uplinks.
func TestForeignSpeakers(t *testing.T) {
	topology, err := lab.Load("../lab/topologies/speakers.yaml")
	if err != nil {
		t.Fatal(err)
	}
	onFabricOf(t, topology, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		one := network(ctx, t, f, "speakers-one", "10.1.0.0/24", "fd01::/64")
		two := network(ctx, t, f, "speakers-two", "10.2.0.0/24", "fd02::/64")
		ours := allocate(ctx, t, f, one.Id, "machine01")
		far := allocate(ctx, t, f, two.Id, "machine04")
		for _, machine := range []string{"machine02", "machine03"} { // BIRD, FRR
			a := allocate(ctx, t, f, one.Id, machine)
			bothWays(ctx, t, f, a, ours)
			a, err := f.API.Move(ctx, a.Id, two.Id)
			if err != nil {
				t.Fatal(err)
			}
			waitPhase(ctx, t, f, a.Id, apiv1.Phase_PHASE_REACHABLE)
			bothWays(ctx, t, f, a, far)
			for _, target := range addresses(t, ours) {
				reachNot(ctx, t, f, machine, fabric.Ping{To: target, From: sameFamily(t, a, target)}, "after its move")
			}
			release(ctx, t, f, a)
		}
		release(ctx, t, f, ours, far)
	})
}

// bothWays asserts that two machines reach each other, and that the first uses both uplinks.
func bothWays(ctx context.Context, t *testing.T, f *fabric.Fabric, a, b *apiv1.Allocation) {
	t.Helper()
	for _, target := range addresses(t, b) {
		awaitUplinks(ctx, t, f, a.Machine, target)
		awaitPing(ctx, t, f, a.Machine, fabric.Ping{To: target, From: sameFamily(t, a, target)})
	}
	reach(ctx, t, f, a, b, 8900)
	reach(ctx, t, f, b, a, 8900)
}
