package e2e

import (
	"context"
	"net/netip"
	"testing"

	"github.com/pointsman/pointsman/test/fabric"
)

// jumbo is a packet that must cross the fabric whole, in bytes.
const jumbo = 8900

// TestReach: machines of one network in different racks reach each other over both leaves; another network's does not reach
// them, and loses nothing when one leaf's cable goes.
func TestReach(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		blue := network(ctx, t, f, "reach-blue", "10.1.0.0/24", "fd01::/64")
		network(ctx, t, f, "reach-green", "10.2.0.0/24", "fd02::/64")
		a := allocate(ctx, t, f, "reach-blue", "machine01")
		b := allocate(ctx, t, f, "reach-blue", "machine04")
		c := allocate(ctx, t, f, "reach-green", "machine02")
		d := allocate(ctx, t, f, "reach-green", "machine05")

		reach(ctx, t, f, a, b, jumbo)
		reach(ctx, t, f, b, a, jumbo)
		for _, address := range addresses(t, b) {
			hops(ctx, t, f, "leaf01", 2, fabric.Family(address), "vrf", blue.Vrf, address.String())
			hops(ctx, t, f, "leaf02", 2, fabric.Family(address), "vrf", blue.Vrf, address.String())
			hops(ctx, t, f, "machine01", 2, fabric.Family(address), "default")
		}

		// Each leaf alone carries it, so that two next hops are two ways.
		for _, port := range []string{"lan0", "lan1"} {
			if err := f.Lab.SetLink(ctx, "machine01", port, false); err != nil {
				t.Fatal(err)
			}
			settle(ctx, t, f, "machine04", addresses(t, a))
			reach(ctx, t, f, a, b, jumbo)
			if err := f.Lab.SetLink(ctx, "machine01", port, true); err != nil {
				t.Fatal(err)
			}
			for _, address := range addresses(t, a) {
				awaitHops(ctx, t, f, "leaf03", 2, fabric.Family(address), "vrf", blue.Vrf, address.String())
			}
		}

		reach(ctx, t, f, c, d, jumbo) // the control: green can be reached
		for _, target := range append(addresses(t, a), addresses(t, b)...) {
			reachNot(ctx, t, f, "machine02", fabric.Ping{To: target, From: sameFamily(t, c, target)}, "another network")
		}
		release(ctx, t, f, a, b, c, d)
	})
}

// settle waits until a node reaches addresses again.
func settle(ctx context.Context, t *testing.T, f *fabric.Fabric, node string, targets []netip.Addr) {
	t.Helper()
	for _, target := range targets {
		awaitPing(ctx, t, f, node, fabric.Ping{To: target, Count: 2})
	}
}
