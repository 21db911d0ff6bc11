package e2e

import (
	"context"
	"errors"
	"testing"

	"github.com/pointsman/pointsman/test/fabric"
)

// TestHotPlug: a port that goes away takes only its own allocation along, and is what it was once it is back; a port that appears is
// discovered and usable. No program is started again for either.
func TestHotPlug(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		p := newPair(ctx, t, f, "hot-other") // machine01 and machine04
		network(ctx, t, f, "hot", "10.2.0.0/24", "fd02::/64")
		own := allocate(ctx, t, f, "hot", "machine02")
		far := allocate(ctx, t, f, "hot", "machine05")
		daemons := starts(ctx, t, f)
		worst := p.measured(ctx, t, f, "the neighbour of a port that goes and comes", func() {
			pulled(ctx, t, f, "leaf01", 2, func() {
				awaitPing(ctx, t, f, "machine02", fabric.Ping{To: addresses(t, far)[0], From: sameFamily(t, own, addresses(t, far)[0])})
			})
			for _, to := range addresses(t, far) {
				awaitUplinks(ctx, t, f, "machine02", to)
			}
			reach(ctx, t, f, own, far, 0)
		})
		if worst.Lost > 0 {
			t.Errorf("the neighbour of a port that went lost %d packets, longest gap %v", worst.Lost, worst.Gap)
		}

		pulled(ctx, t, f, "leaf01", 3, func() {
			await(ctx, t, "machine03 is seen to lack its port", func(ctx context.Context) error {
				if free(ctx, f, "machine03") == nil {
					return errors.New("machine03 is free")
				}
				return nil
			})
			if _, err := f.API.Allocate(ctx, "hot", "machine03"); err == nil {
				t.Error("a machine was allocated whose port is away")
			}
		})
		await(ctx, t, "machine03 is discovered anew", func(ctx context.Context) error { return free(ctx, f, "machine03") })
		again := allocate(ctx, t, f, "hot", "machine03")
		reach(ctx, t, f, again, far, 0)
		if now := starts(ctx, t, f); now != daemons {
			t.Errorf("programs were started again:\nbefore %s\nafter  %s", daemons, now)
		}
		release(ctx, t, f, p.a, p.b, own, far, again)
	})
}

// pulled pulls the port with a number, calls do, and plugs the port back.
func pulled(ctx context.Context, t *testing.T, f *fabric.Fabric, leaf string, number int, do func()) {
	t.Helper()
	port := f.Port(leaf, number)
	if err := f.Lab.Pull(ctx, leaf, port); err != nil {
		t.Fatal(err)
	}
	do()
	if err := f.Lab.Plug(ctx, leaf, port); err != nil {
		t.Fatal(err)
	}
}
