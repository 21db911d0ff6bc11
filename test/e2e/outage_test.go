package e2e

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/fabric"
)

// Bounds of an outage, from the fault to the first packet that takes another way.
const (
	carrierBound = time.Second      // the link says it
	silentBound  = 10 * time.Second // only silence says it: three keepalives of our speaker
	bfdBound     = time.Second      // BFD says it: three packets at an interval of 200 ms, and the work that follows
)

// pair is two machines of one network in different racks, with both leaves and both spines between them.
type pair struct {
	a, b *apiv1.Allocation
	vrf  string
}

func newPair(ctx context.Context, t *testing.T, f *fabric.Fabric, id string) pair {
	t.Helper()
	n := network(ctx, t, f, id, "10.1.0.0/24", "fd01::/64")
	return pair{allocate(ctx, t, f, id, "machine01"), allocate(ctx, t, f, id, "machine04"), n.Vrf}
}

// measured runs do while packets go both ways, prints what was lost and returns the worst.
func (p pair) measured(ctx context.Context, t *testing.T, f *fabric.Fabric, what string, do func()) fabric.Outage {
	t.Helper()
	pairs := map[netip.Addr]netip.Addr{}
	for _, local := range addresses(t, p.a) {
		pairs[local] = sameFamily(t, p.b, local)
	}
	m, err := f.Measure(ctx, p.a.Machine, p.b.Machine, pairs)
	if err != nil {
		t.Fatal(err)
	}
	do()
	outages, err := m.Stop()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	for _, o := range outages {
		t.Logf("%s: %s", what, o)
	}
	return slices.MaxFunc(outages, func(x, y fabric.Outage) int {
		return cmp.Or(cmp.Compare(x.Outage, y.Outage), cmp.Compare(x.Lost, y.Lost))
	})
}

// bounded asserts that a fault, and what mends it, cost no more than the bound, and that its mending cost nothing.
func (p pair) bounded(ctx context.Context, t *testing.T, f *fabric.Fabric, what string, bound time.Duration, fault, mend func() error, mended func(ctx context.Context) error) {
	t.Helper()
	worst := p.measured(ctx, t, f, what, func() {
		if err := fault(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(bound + 2*time.Second) // the time in which it must be over
	})
	if worst.Outage > bound {
		t.Errorf("%s: an outage of %v, more than %v", what, worst.Outage, bound)
	}
	back := p.measured(ctx, t, f, what+", mended", func() {
		if err := mend(); err != nil {
			t.Fatal(err)
		}
		await(ctx, t, what+": all ways are back", mended)
		time.Sleep(2 * time.Second) // what comes back may still take a packet down with it
	})
	if back.Lost > 0 {
		t.Errorf("%s: %d packets were lost on the return, longest gap %v", what, back.Lost, back.Gap)
	}
}

// whole says whether every way between the machines is there: both machines use both leaves, each leaf both leaves of the other rack,
// and each leaf both spines.
func (p pair) whole(t *testing.T, f *fabric.Fabric) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		for _, end := range [][2]*apiv1.Allocation{{p.a, p.b}, {p.b, p.a}} {
			for _, to := range addresses(t, end[1]) {
				if err := twoHops(ctx, f, end[0].Machine, fabric.Family(to), "match", to.String()); err != nil {
					return err
				}
			}
		}
		for leaf, far := range map[string]*apiv1.Allocation{"leaf01": p.b, "leaf02": p.b, "leaf03": p.a, "leaf04": p.a} {
			for _, to := range addresses(t, far) {
				if err := twoHops(ctx, f, leaf, fabric.Family(to), "vrf", p.vrf, to.String()); err != nil {
					return err
				}
			}
			for _, other := range f.SwitchNames("leaf") {
				if other == leaf {
					continue
				}
				if err := twoHops(ctx, f, leaf, "-4", f.Switch(other).Loopback.String()); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

func twoHops(ctx context.Context, f *fabric.Fabric, node, family string, args ...string) error {
	routes, err := f.Routes(ctx, node, family, args...)
	if err != nil {
		return err
	}
	for _, r := range routes {
		if len(r.NextHops) == 2 {
			return nil
		}
	}
	return fmt.Errorf("%s: ip %s route show %s: no route with two next hops among %+v", node, family, strings.Join(args, " "), routes)
}

// switchFaults are what may befall a leaf or a spine.
func switchFaults(ctx context.Context, t *testing.T, f *fabric.Fabric, p pair, node string, silent time.Duration) {
	whole := p.whole(t, f)
	await(ctx, t, "all ways are there", whole)
	p.bounded(ctx, t, f, node+" destroyed", carrierBound,
		func() error { return f.Lab.PowerOff(ctx, node) }, func() error { return f.Lab.PowerOn(ctx, node) }, whole)
	p.bounded(ctx, t, f, node+" with bgpd and zebra frozen", silentBound,
		func() error { return f.Lab.Freeze(ctx, node, "bgpd", "zebra") }, func() error { return f.Lab.Thaw(ctx, node, "zebra", "bgpd") }, whole)
	p.bounded(ctx, t, f, node+" black-holing", silent,
		func() error { return f.Lab.Blackhole(ctx, node, true) }, func() error { return f.Lab.Blackhole(ctx, node, false) }, whole)
}

// TestLeafFaults: a leaf that is destroyed, frozen or black-holing costs its machines no more than the bound, and its return nothing.
func TestLeafFaults(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		p := newPair(ctx, t, f, "leaf-faults")
		switchFaults(ctx, t, f, p, "leaf01", silentBound)
		release(ctx, t, f, p.a, p.b)
	})
}

// TestSpineFaults: likewise for a spine. Between switches BFD runs, at the lab's slow second.
func TestSpineFaults(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		p := newPair(ctx, t, f, "spine-faults")
		switchFaults(ctx, t, f, p, "spine01", bfdBound)
		release(ctx, t, f, p.a, p.b)
	})
}

// TestCutLinks: a cable that is cut costs no more than the bound, and its mending nothing.
func TestCutLinks(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		p := newPair(ctx, t, f, "cut-links")
		whole := p.whole(t, f)
		await(ctx, t, "all ways are there", whole)
		for _, link := range []string{"leaf01:machine01", "leaf01:spine01"} {
			p.bounded(ctx, t, f, "link "+link+" cut", carrierBound,
				func() error { return f.Lab.Cut(ctx, link) }, func() error { return f.Lab.Heal(ctx, link) }, whole)
		}
		release(ctx, t, f, p.a, p.b)
	})
}

// awaitUplinks waits until a machine has a route to an address over both its uplinks.
func awaitUplinks(ctx context.Context, t *testing.T, f *fabric.Fabric, machine string, to netip.Addr) {
	t.Helper()
	await(ctx, t, "both uplinks of "+machine, func(ctx context.Context) error {
		return twoHops(ctx, f, machine, fabric.Family(to), "match", to.String())
	})
}
