package probe

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/memory"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

var (
	loop1, loop2, loop3 = netip.MustParseAddr("10.0.0.11"), netip.MustParseAddr("10.0.0.12"), netip.MustParseAddr("10.0.0.13")
	v4, v6              = netip.MustParsePrefix("10.1.0.5/32"), netip.MustParsePrefix("2001:db8::5/128")
	machine             = netip.MustParseAddr("fe80::5")
	origins             = []netmodel.ProbeOrigin{{Switch: "leaf01", Loopback: loop1}, {Switch: "leaf02", Loopback: loop2}}
)

const table = 1001

// bgp is BGP's EVPN table, or its absence.
type bgp struct {
	mu     sync.Mutex
	routes map[netip.Prefix][]netip.Addr
	err    error
	asked  int
}

func (b *bgp) EVPNOrigins(_ context.Context, _ netmodel.VNI, p netip.Prefix) ([]netip.Addr, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	return b.routes[p], b.err
}

func (b *bgp) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}

func (b *bgp) set(err error, routes map[netip.Prefix][]netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.routes, b.err = routes, err
}

func asked(role netmodel.SwitchRole, self netip.Addr, vrf bool) Asked {
	a := Asked{
		Config: netmodel.SwitchConfig{Role: role, Loopback: self}, VRFs: map[string]plan.VRF{},
		Probes: map[string]netmodel.Probe{"a1": {Allocation: "a1", Generation: 4, VRF: "Vrf1", VNI: 100001, Prefixes: []netip.Prefix{v4, v6}, Origins: origins}},
	}
	if vrf {
		a.VRFs["Vrf1"] = plan.VRF{Table: table}
	}
	return a
}

func TestEvaluate(t *testing.T) {
	both := []netip.Addr{loop1, loop2}
	for _, tt := range []struct {
		name      string
		asked     Asked
		kernel    map[netip.Prefix][]netip.Addr
		bgp       map[netip.Prefix][]netip.Addr
		satisfied bool
		present   bool
		origins   [][]netip.Addr
	}{
		{name: "spine with both", asked: asked(netmodel.RoleSpine, loop3, false), bgp: map[netip.Prefix][]netip.Addr{v4: both, v6: both}, satisfied: true, origins: [][]netip.Addr{both, both}},
		{name: "spine lacks IPv6 from one", asked: asked(netmodel.RoleSpine, loop3, false), bgp: map[netip.Prefix][]netip.Addr{v4: both, v6: {loop1}}, origins: [][]netip.Addr{both, {loop1}}},
		{name: "leaf without the VRF", asked: asked(netmodel.RoleLeaf, loop3, false)},
		{name: "leaf with both", asked: asked(netmodel.RoleLeaf, loop3, true), kernel: map[netip.Prefix][]netip.Addr{v4: both, v6: both}, satisfied: true, present: true,
			origins: [][]netip.Addr{both, both}},
		{name: "leaf with one path", asked: asked(netmodel.RoleLeaf, loop3, true), kernel: map[netip.Prefix][]netip.Addr{v4: {loop2}, v6: both}, present: true,
			origins: [][]netip.Addr{{loop2}, both}},
		{name: "leaf that is an origin, by its machine port", asked: asked(netmodel.RoleLeaf, loop1, true), kernel: map[netip.Prefix][]netip.Addr{v4: {machine}, v6: {machine}}, satisfied: true,
			present: true, origins: [][]netip.Addr{{loop1}, {loop1}}},
		{name: "origin that goes through the other leaf", asked: asked(netmodel.RoleLeaf, loop1, true), kernel: map[netip.Prefix][]netip.Addr{v4: {loop2}, v6: {machine}}, present: true,
			origins: [][]netip.Addr{{loop2}, {loop1}}},
		{name: "a machine on a leaf that is no origin proves nothing", asked: asked(netmodel.RoleLeaf, loop3, true), kernel: map[netip.Prefix][]netip.Addr{v4: {machine}, v6: both}, present: true,
			origins: [][]netip.Addr{{machine}, both}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sw := memory.New("leaf")
			sw.Alter("", func(s *plan.State) { s.Kernel.VRFs["Vrf1"] = plan.VRF{Table: table} })
			for prefix, hops := range tt.kernel {
				sw.SetRoute("Vrf1", prefix, hops...)
			}
			p := New(sw, &bgp{routes: tt.bgp}, nil, slog.Default())
			got, ok := p.evaluate(t.Context(), tt.asked, tt.asked.Probes["a1"])
			want := netmodel.ProbeStatus{Allocation: "a1", Generation: 4, Satisfied: tt.satisfied, VRFPresent: tt.present}
			for i, o := range tt.origins {
				want.Results = append(want.Results, netmodel.ProbeResult{Prefix: []netip.Prefix{v4, v6}[i], Origins: o})
			}
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" || !ok {
				t.Error(ok, diff)
			}
		})
	}
}

type answers struct {
	mu  sync.Mutex
	all []map[string]netmodel.ProbeStatus
	at  []time.Duration
}

func record(p **Prober, routes Routes, evpn EVPN) *answers {
	var a answers
	start := time.Now()
	*p = New(routes, evpn, func(s map[string]netmodel.ProbeStatus) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.all, a.at = append(a.all, s), append(a.at, time.Since(start))
	}, slog.Default())
	return &a
}

func (a *answers) last() (map[string]netmodel.ProbeStatus, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.all) == 0 {
		return nil, 0
	}
	return a.all[len(a.all)-1], len(a.all)
}

func TestLeafAnswersOnRouteEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sw := memory.New("leaf")
		sw.Alter("", func(s *plan.State) { s.Kernel.VRFs["Vrf1"] = plan.VRF{Table: table} })
		var p *Prober
		got := record(&p, sw, &bgp{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = p.Run(ctx) }()
		p.Ask(asked(netmodel.RoleLeaf, loop3, true))
		time.Sleep(time.Hour) // nothing comes: one answer, no more
		if s, n := got.last(); n > 2 || s["a1"].Satisfied || !s["a1"].VRFPresent {
			t.Errorf("%d answers, the last %v", n, s)
		}
		sw.SetRoute("Vrf1", v4, loop1, loop2)
		sw.SetRoute("Vrf1", v6, loop1, loop2)
		synctest.Wait() // no time passes: events are enough
		if s, _ := got.last(); !s["a1"].Satisfied {
			t.Errorf("after the routes came: %v", s)
		}
		_, before := got.last()
		time.Sleep(time.Hour)
		if _, n := got.last(); n != before {
			t.Errorf("%d answers without news", n-before)
		}
		sw.SetRoute("Vrf1", v6)
		synctest.Wait()
		if s, _ := got.last(); s["a1"].Satisfied {
			t.Error("satisfied without a route")
		}
		p.Ask(Asked{})
		synctest.Wait()
		if s, _ := got.last(); len(s) != 0 {
			t.Errorf("answers to nobody: %v", s)
		}
		cancel()
		synctest.Wait()
	})
}

func TestSpineAsksMoreAndMoreSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := &bgp{}
		var p *Prober
		got := record(&p, memory.New("spine"), table)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = p.Run(ctx) }()
		p.Ask(asked(netmodel.RoleSpine, loop3, false))
		time.Sleep(3 * time.Second)
		if n := table.count(); n < 2*50 {
			t.Errorf("asked %d times in the first 3 s", n)
		}
		time.Sleep(time.Hour)
		before := table.count()
		time.Sleep(time.Minute)
		if n := table.count() - before; n > 2*31 {
			t.Errorf("asked %d times in a minute, an hour later", n)
		}
		table.set(nil, map[netip.Prefix][]netip.Addr{v4: {loop1, loop2}, v6: {loop1, loop2}})
		time.Sleep(lastWait + time.Millisecond)
		if s, _ := got.last(); !s["a1"].Satisfied {
			t.Errorf("answers %v", s)
		}
		table.set(errors.New("bgpd is away"), nil)
		time.Sleep(5 * time.Minute)
		if s, _ := got.last(); !s["a1"].Satisfied {
			t.Error("an unread answer was taken for no")
		}
		again := asked(netmodel.RoleSpine, loop3, false)
		probe := again.Probes["a1"]
		probe.Generation++
		again.Probes["a1"] = probe
		table.set(nil, map[netip.Prefix][]netip.Addr{v4: {loop1, loop2}, v6: {loop1, loop2}})
		p.Ask(again)
		synctest.Wait()
		if s, _ := got.last(); s["a1"].Generation != 5 {
			t.Errorf("a new generation is answered at once: %v", s)
		}
		if !slices.IsSorted(got.at) {
			t.Error("answers out of order")
		}
		cancel()
		synctest.Wait()
	})
}
