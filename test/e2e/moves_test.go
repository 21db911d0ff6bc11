package e2e

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/fabric"
)

// moves is how often the machine changes its place.
const moves = 100

// TestHundredMoves: a dual-homed machine goes between two networks and provisioning a hundred times. Both sessions return every time,
// FRR's daemons live, another tenant's traffic loses nothing and its router MACs do not change.
func TestHundredMoves(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		network(ctx, t, f, "moves-a", "10.1.0.0/24", "fd01::/64")
		network(ctx, t, f, "moves-b", "10.2.0.0/24", "fd02::/64")
		other := network(ctx, t, f, "moves-other", "10.3.0.0/24", "fd03::/64")
		near := allocate(ctx, t, f, "moves-other", "machine02")
		far := allocate(ctx, t, f, "moves-other", "machine05")
		daemons := starts(ctx, t, f)
		macs := routerMAC(ctx, t, f, "leaf01", other.Vrf).String() + " " + routerMAC(ctx, t, f, "leaf02", other.Vrf).String()
		bystanders := startTraffic(ctx, t, f, near, far)

		w := walk{f: f, machine: "machine01"}
		var connected []float64
		for i := range moves {
			if err := w.step(ctx, i); err != nil {
				t.Fatalf("move %d: %v", i+1, err)
			}
			if w.receipt != nil {
				connected = append(connected, elapsed(w.receipt, apiv1.Phase_PHASE_CONNECTED))
			}
			if i%20 == 19 {
				t.Logf("%d moves; to connected: %s", i+1, quantiles(connected))
			}
		}
		if w.allocation != nil {
			release(ctx, t, f, w.allocation)
		}
		bystanders.stop(t)
		if now := starts(ctx, t, f); now != daemons {
			t.Errorf("daemons were started again:\nbefore %s\nafter  %s", daemons, now)
		}
		if now := routerMAC(ctx, t, f, "leaf01", other.Vrf).String() + " " + routerMAC(ctx, t, f, "leaf02", other.Vrf).String(); now != macs {
			t.Errorf("router MACs of the other tenant changed from %s to %s", macs, now)
		}
		release(ctx, t, f, near, far)
	})
}

// walk moves one machine around: network a, network b, network a, provisioning, network b, …
type walk struct {
	f          *fabric.Fabric
	machine    string
	allocation *apiv1.Allocation
	receipt    *apiv1.Receipt
}

var itinerary = []string{"moves-a", "moves-b", "moves-a", "", "moves-b", "moves-a", "moves-b", ""}

func (w *walk) step(ctx context.Context, i int) error {
	ctx, cancel := context.WithTimeout(ctx, phaseLimit)
	defer cancel()
	to := itinerary[i%len(itinerary)]
	w.receipt = nil
	var err error
	switch {
	case to == "":
		id := w.allocation.Id
		w.allocation = nil
		if err := w.f.API.Release(ctx, id); err != nil {
			return err
		}
		return w.f.API.WaitFree(ctx, w.machine)
	case w.allocation == nil:
		w.allocation, err = w.f.API.Allocate(ctx, to, w.machine)
	default:
		w.allocation, err = w.f.API.Move(ctx, w.allocation.Id, to)
	}
	if err != nil {
		return err
	}
	w.receipt, err = w.f.API.WaitPhase(ctx, w.allocation.Id, apiv1.Phase_PHASE_CONNECTED)
	if err == nil && w.receipt.Degraded {
		err = fmt.Errorf("receipt is degraded: %s", fabric.Describe(w.receipt))
	}
	return err
}

func elapsed(r *apiv1.Receipt, phase apiv1.Phase) float64 {
	for _, s := range r.Phases {
		if s.Phase == phase {
			return s.ElapsedMs
		}
	}
	return -1
}

// starts counts how often each service of each switch was started.
func starts(ctx context.Context, t *testing.T, f *fabric.Fabric) string {
	t.Helper()
	var out []string
	for _, node := range f.SwitchNames("") {
		services, err := f.Lab.Services(ctx, node)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range services {
			out = append(out, fmt.Sprintf("%s/%s=%d", node, s.Name, s.Starts))
		}
	}
	return strings.Join(out, " ")
}

// traffic is pings between two machines, both ways and both families, twenty a second each.
type traffic struct {
	cancel  context.CancelFunc
	done    sync.WaitGroup
	mu      sync.Mutex
	results []string
	failed  []string
}

const trafficInterval = 50 * time.Millisecond

func startTraffic(ctx context.Context, t *testing.T, f *fabric.Fabric, a, b *apiv1.Allocation) *traffic {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	w := &traffic{cancel: cancel}
	for _, way := range []struct{ from, to *apiv1.Allocation }{{a, b}, {b, a}} {
		for _, target := range addresses(t, way.to) {
			w.done.Go(func() { w.ping(ctx, f, way.from.Machine, sameFamily(t, way.from, target), target) })
		}
	}
	return w
}

// ping runs until the traffic is stopped; `ping` prints its summary when it is interrupted.
func (w *traffic) ping(ctx context.Context, f *fabric.Fabric, node string, from, to netip.Addr) {
	script := fmt.Sprintf("ping -n -q -i %g -I %s %s & p=$!; cat >/dev/null; kill -INT $p; wait $p; true", trafficInterval.Seconds(), from, to)
	r, err := f.Lab.Exec(context.WithoutCancel(ctx), node, []string{"sh", "-c", script}, untilDone{ctx})
	w.mu.Lock()
	defer w.mu.Unlock()
	summary := strings.TrimSpace(string(r.Stdout))
	if i := strings.Index(summary, "---"); i >= 0 {
		summary = strings.Join(strings.Fields(summary[i:]), " ")
	}
	line := fmt.Sprintf("%s to %s: %s", node, to, summary)
	if err != nil || !strings.Contains(summary, " 0% packet loss") {
		w.failed = append(w.failed, fmt.Sprintf("%s (%v)", line, err))
	}
	w.results = append(w.results, line)
}

// stop ends the traffic and asserts that none was lost.
func (w *traffic) stop(t *testing.T) {
	t.Helper()
	w.cancel()
	w.done.Wait()
	for _, line := range w.results {
		t.Log(line)
	}
	for _, line := range w.failed {
		t.Errorf("another tenant lost traffic: %s", line)
	}
}

// untilDone is an input that ends with its context.
type untilDone struct{ ctx context.Context }

func (u untilDone) Read([]byte) (int, error) {
	<-u.ctx.Done()
	return 0, io.EOF
}
