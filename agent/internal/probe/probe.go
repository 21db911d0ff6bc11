// Package probe answers the control plane's question whether this switch holds the routes of an allocation: on a spine from BGP's
// EVPN table, on a leaf from the kernel, which is what packets meet. It changes nothing. The agent's run command feeds it and hands
// its answers to the status writer.
package probe

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// slowly is how often a satisfied probe is looked at without an event. A leaf hears of its routes; a spine has to ask.
const slowly = 30 * time.Second

// waits is how often an unsatisfied one is looked at: often as long as an allocation is on its way, for a receipt is as precise as
// this, and seldom once something is wrong.
var waits = []struct{ upTo, wait time.Duration }{
	{3 * time.Second, 50 * time.Millisecond}, {15 * time.Second, 200 * time.Millisecond}, {time.Minute, time.Second},
}

const lastWait = 2 * time.Second

func waitAt(age time.Duration) time.Duration {
	for _, w := range waits {
		if age < w.upTo {
			return w.wait
		}
	}
	return lastWait
}

// Looking takes a quarter of the time at most, however many probes wait.
const (
	roundTime = 50 * time.Millisecond
	restRatio = 3
)

// Routes reads the kernel's routes.
type Routes interface {
	RouteNextHops(ctx context.Context, vrf string, prefix netip.Prefix) ([]netip.Addr, error)
	WatchRoutes(ctx context.Context, changed func(table uint32, prefix netip.Prefix)) error
}

// EVPN reads BGP's type 5 routes.
type EVPN interface {
	EVPNOrigins(ctx context.Context, vni netmodel.VNI, prefix netip.Prefix) ([]netip.Addr, error)
}

// Asked is what is to be answered, and what is needed for it.
type Asked struct {
	Config netmodel.SwitchConfig
	Probes map[string]netmodel.Probe
	VRFs   map[string]plan.VRF // those that exist
}

// Prober answers probes.
type Prober struct {
	routes   Routes
	evpn     EVPN
	onChange func(map[string]netmodel.ProbeStatus)
	log      *slog.Logger
	wake     chan struct{}

	mu    sync.Mutex
	asked Asked
	told  bool
	items map[string]*item
}

// item is a probe with its latest answer.
type item struct {
	probe  netmodel.Probe
	answer netmodel.ProbeStatus
	known  bool
	due    time.Time
	since  time.Time // asked, or told of a route
}

// New makes a Prober. onChange gets all answers by allocation whenever one changed; it must not block.
func New(routes Routes, evpn EVPN, onChange func(map[string]netmodel.ProbeStatus), log *slog.Logger) *Prober {
	return &Prober{routes: routes, evpn: evpn, onChange: onChange, log: log, wake: make(chan struct{}, 1), items: map[string]*item{}}
}

// Ask replaces what is to be answered. It does not block. The map of probes must not be written afterwards: the same map again means
// the same probes, and thousands of them need not be compared with each pass of the loop.
func (p *Prober) Ask(a Asked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	moved := p.asked.Config.Role != a.Config.Role || p.asked.Config.Loopback != a.Config.Loopback
	before := p.asked.VRFs
	if p.told && !moved && maps.Equal(before, a.VRFs) && reflect.ValueOf(p.asked.Probes).Pointer() == reflect.ValueOf(a.Probes).Pointer() {
		return
	}
	p.asked, p.told = a, true
	for allocation := range p.items {
		if _, ok := a.Probes[allocation]; !ok {
			delete(p.items, allocation)
		}
	}
	now := time.Now()
	for allocation, probe := range a.Probes {
		it, ok := p.items[allocation]
		if ok && !moved && before[probe.VRF] == a.VRFs[probe.VRF] && reflect.DeepEqual(it.probe, probe) {
			continue
		}
		if !ok {
			it = &item{}
			p.items[allocation] = it
		}
		it.probe, it.due, it.since = probe, now, now
	}
	p.rouse()
}

// changed makes the probes due whose route changed.
func (p *Prober) changed(table uint32, prefix netip.Prefix) {
	p.mu.Lock()
	defer p.mu.Unlock()
	hit := false
	now := time.Now()
	for _, it := range p.items {
		if !prefix.IsValid() || p.asked.VRFs[it.probe.VRF].Table == table && slices.Contains(it.probe.Prefixes, prefix) {
			it.due, it.since, hit = now, now, true
		}
	}
	if hit {
		p.rouse()
	}
}

func (p *Prober) rouse() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run answers until ctx ends.
func (p *Prober) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { p.follow(ctx) })
	var said []string
	for ctx.Err() == nil {
		next := p.round(ctx)
		if now := p.names(); now != nil && !slices.Equal(now, said) { // probes that went have to be told, too
			said = now
			p.tell()
		}
		t := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-p.wake:
		}
		t.Stop()
	}
	return nil
}

// follow hears of routes until ctx ends.
func (p *Prober) follow(ctx context.Context) {
	for ctx.Err() == nil {
		if err := p.routes.WatchRoutes(ctx, p.changed); err != nil {
			p.log.Warn("following routes anew", "err", err)
		}
		p.changed(0, netip.Prefix{})
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// round looks at what is due and returns when to look next.
func (p *Prober) round(ctx context.Context) time.Time {
	began := time.Now()
	next := began.Add(slowly)
	for time.Since(began) < roundTime {
		it, probe, asked := p.nextDue(began)
		if it == nil {
			break
		}
		answer, ok := p.evaluate(ctx, asked, probe)
		if ctx.Err() != nil {
			return next
		}
		if p.note(it, probe, answer, ok) {
			p.tell()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, it := range p.items {
		if it.due.Before(next) {
			next = it.due
		}
	}
	now := time.Now()
	if rested := now.Add(restRatio * now.Sub(began)); next.Before(rested) {
		return rested
	}
	return next
}

// nextDue returns the item that waits longest.
func (p *Prober) nextDue(now time.Time) (*item, netmodel.Probe, Asked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var first *item
	for _, it := range p.items {
		if !it.due.After(now) && (first == nil || it.due.Before(first.due)) {
			first = it
		}
	}
	if first == nil {
		return nil, netmodel.Probe{}, Asked{}
	}
	return first, first.probe, p.asked
}

// note keeps an answer and tells whether it is news.
func (p *Prober) note(it *item, probe netmodel.Probe, answer netmodel.ProbeStatus, ok bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !reflect.DeepEqual(it.probe, probe) { // asked anew in the meantime; it is due again
		return false
	}
	now := time.Now()
	if ok && answer.Satisfied {
		it.due = now.Add(slowly*3/4 + rand.N(slowly/2))
	} else {
		it.due = now.Add(waitAt(now.Sub(it.since)))
	}
	if !ok { // unknown is not unsatisfied
		return false
	}
	old := it.answer
	old.Time = time.Time{}
	if it.known && reflect.DeepEqual(old, answer) {
		return false
	}
	answer.Time = now
	it.answer, it.known = answer, true
	return true
}

func (p *Prober) tell() {
	p.mu.Lock()
	answers := map[string]netmodel.ProbeStatus{}
	for allocation, it := range p.items {
		if it.known {
			answers[allocation] = it.answer
		}
	}
	p.mu.Unlock()
	p.onChange(answers)
}

// names are the probes there are; nil before anybody asked.
func (p *Prober) names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.told {
		return nil
	}
	out := make([]string, 0, len(p.items))
	for allocation := range p.items {
		out = append(out, allocation)
	}
	slices.Sort(out)
	return out
}
