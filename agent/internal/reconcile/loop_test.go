package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/agent/internal/system/memory"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

const uplink = "swp31"

var machinePorts = []string{"swp1", "swp2", "swp3", "swp4"}

// bench is a loop on a switch in memory, with intents and health in the test's hand.
type bench struct {
	t    *testing.T
	sw   *memory.Switch
	dir  string
	loop *Loop

	mu       sync.Mutex
	snapshot intent.Snapshot
	reports  []Report
	at       []time.Time
	sessions map[string]netmodel.SessionStatus
	cutOff   bool

	fabricWait time.Duration
	boot       string
	onPassed   func()
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: t.TempDir(), sw: memory.New("leaf01", append(slices.Clone(machinePorts), uplink)...), sessions: map[string]netmodel.SessionStatus{}}
	c := netmodel.SwitchConfig{
		StoreUUID: "store-1", Switch: "leaf01", Role: netmodel.RoleLeaf, Loopback: netip.MustParseAddr("10.0.0.11"), ASN: netmodel.FirstSwitchASN, Generation: 1,
		Provisioning: netmodel.Provisioning{VLAN: 100, Addresses: []netip.Prefix{netip.MustParsePrefix("10.255.1.1/24")}},
		Ports:        []netmodel.SwitchPort{{Name: uplink, Role: netmodel.PortUplink}},
	}
	b.snapshot = intent.Snapshot{State: netmodel.AgentFollowing, Received: map[string]time.Time{}}
	b.snapshot.Intent = plan.Intent{Config: c, Ports: map[string]netmodel.PortIntent{}}
	for _, p := range machinePorts {
		b.snapshot.Intent.Config.Ports = append(b.snapshot.Intent.Config.Ports, netmodel.SwitchPort{Name: p, Role: netmodel.PortMachine})
		b.snapshot.Intent.Ports[p] = provisioning(p, 1)
	}
	return b
}

func provisioning(port string, generation uint64) netmodel.PortIntent {
	return netmodel.PortIntent{Switch: "leaf01", Port: port, Generation: generation, Mode: netmodel.ModeProvisioning}
}

func inVRF(port string, generation uint64, vni netmodel.VNI) netmodel.PortIntent {
	return netmodel.PortIntent{
		Switch: "leaf01", Port: port, Generation: generation, Mode: netmodel.ModeVRF, VRF: netmodel.VRFName(vni), VNI: vni, PeerASN: netmodel.FirstMachineASN,
		Grants: []netmodel.Grant{{Prefix: netip.MustParsePrefix("10.1.0.5/32")}},
	}
}

// start runs the loop until the returned function is called.
func (b *bench) start(sys system.System) (stop func()) {
	b.t.Helper()
	var err error
	b.loop, err = New(Config{
		System: sys, Health: b, StateDir: b.dir, ConfirmWindow: 5 * time.Second, FullPass: time.Minute, FabricWait: b.fabricWait, Boot: b.boot, OnPassed: b.onPassed, Log: slog.New(slog.DiscardHandler),
		OnReport: func(r Report) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.reports, b.at = append(b.reports, r), append(b.at, time.Now())
		},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = b.loop.Run(ctx) })
	wg.Go(func() { _ = sys.Watch(ctx, b.loop.Kick) })
	return func() { cancel(); wg.Wait() }
}

// Health of the bench.
func (b *bench) Sessions() []netmodel.SessionStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []netmodel.SessionStatus
	for _, s := range b.sessions {
		out = append(out, s)
	}
	return out
}
func (b *bench) Underlay(context.Context) (map[string]time.Time, error) {
	since := map[string]time.Time{}
	for _, s := range b.Sessions() {
		if s.Established {
			since[s.Port] = s.EstablishedTime
		}
	}
	return since, nil
}
func (b *bench) Connected() bool { return true }
func (b *bench) CutOff(context.Context) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cutOff
}

func (b *bench) session(port string, up bool, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sessions[port] = netmodel.SessionStatus{Port: port, Established: up, LastResetReason: reason}
}

// want puts intents in force.
func (b *bench) want(intents ...netmodel.PortIntent) {
	s := b.snapshot
	s.Intent.Ports, s.Received = map[string]netmodel.PortIntent{}, map[string]time.Time{}
	for name, p := range b.snapshot.Intent.Ports {
		s.Intent.Ports[name] = p
	}
	for _, p := range intents {
		s.Intent.Ports[p.Port], s.Received[p.Port] = p, time.Now()
	}
	b.snapshot = s
	b.loop.SetIntent(s)
}

func (b *bench) last() Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.reports) == 0 {
		return Report{}
	}
	return b.reports[len(b.reports)-1]
}

func (b *bench) port(name string) netmodel.PortStatus { return b.last().Ports[name] }

func (b *bench) expect(what, port string, generation uint64, mode netmodel.PortMode, vrf string) {
	b.t.Helper()
	got := b.port(port)
	if got.AppliedGeneration != generation || got.Mode != mode || got.VRF != vrf || got.Error != "" {
		b.t.Errorf("%s: %s is %+v, want generation %d, %s %s", what, port, got, generation, mode, vrf)
	}
}

func TestConvergesAndThenRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		stop := b.start(b.sw)
		time.Sleep(time.Second)
		if b.sw.Writes() != 0 || b.last().Ports != nil || len(b.last().Existing) != 0 && len(b.last().Existing) != 5 {
			t.Errorf("without an intent: %d writes, report %+v", b.sw.Writes(), b.last())
		}
		b.want()
		synctest.Wait()
		for _, p := range machinePorts {
			b.expect("at first", p, 1, netmodel.ModeProvisioning, "")
		}
		if r := b.last(); len(r.Drift) > 0 || r.LastError != "" || r.ConfigGeneration != 1 || r.Sessions[uplink].Generation != 1 || len(r.Existing) != 5 {
			t.Errorf("report %+v", r)
		}
		b.want(inVRF("swp1", 2, 100001), inVRF("swp2", 2, 100002))
		synctest.Wait() // not a moment passes
		b.expect("moved", "swp1", 2, netmodel.ModeVRF, "Vrf100001")
		b.expect("moved", "swp2", 2, netmodel.ModeVRF, "Vrf100002")
		b.expect("untouched", "swp3", 1, netmodel.ModeProvisioning, "")
		if w := b.last().Sessions["swp1"]; w != (WantedSession{Generation: 2, VRF: "Vrf100001"}) {
			t.Errorf("wanted session %+v", w)
		}
		if s := b.port("swp1"); s.AppliedTime.Before(s.ReceivedTime) || s.ReceivedTime.IsZero() {
			t.Errorf("times of %+v", s)
		}
		time.Sleep(time.Second)
		before := b.sw.Writes()
		time.Sleep(time.Hour)
		if n := b.sw.Writes() - before; n != 0 {
			t.Errorf("%d writes on a converged switch", n)
		}
		stop()
		// The next agent finds all done, and says the same.
		stop = b.start(b.sw)
		b.want()
		synctest.Wait()
		if n := b.sw.Writes() - before; n != 0 {
			t.Errorf("%d writes after a restart", n)
		}
		b.expect("after a restart", "swp1", 2, netmodel.ModeVRF, "Vrf100001")
		stop()
	})
}

func TestNumbersSurviveAReboot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		stop := b.start(b.sw)
		b.want(inVRF("swp1", 2, 100001), inVRF("swp2", 2, 100002))
		synctest.Wait()
		b.want(provisioning("swp1", 3))
		synctest.Wait()
		table := b.last().VRFs["Vrf100002"].Table
		stop()
		b.sw = memory.New("leaf01", append(slices.Clone(machinePorts), uplink)...) // the switch boots with nothing
		stop = b.start(b.sw)
		b.want()
		synctest.Wait()
		b.expect("after a reboot", "swp2", 2, netmodel.ModeVRF, "Vrf100002")
		if got := b.last().VRFs["Vrf100002"].Table; got != table {
			t.Errorf("table %d became %d; the other would have been free", table, got)
		}
		stop()
	})
}

func TestOnePortsFaultIsOnePortsFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		stop := b.start(b.sw)
		b.want()
		synctest.Wait()
		var tried atomic.Int32
		b.sw.FailWhen(func(op plan.Op) error {
			if m, ok := op.(plan.SetMaster); ok && m.Device == "swp1" {
				tried.Add(1)
				return errors.New("device or resource busy")
			}
			return nil
		})
		b.want(inVRF("swp1", 2, 100001), inVRF("swp2", 2, 100002))
		synctest.Wait()
		b.expect("the healthy one", "swp2", 2, netmodel.ModeVRF, "Vrf100002")
		if s := b.port("swp1"); s.AppliedGeneration != 1 || !strings.Contains(s.Error, "busy") {
			t.Errorf("the broken one: %+v", s)
		}
		if len(b.last().Drift) == 0 {
			t.Error("what is left is not said")
		}
		time.Sleep(100 * time.Millisecond)
		if n := tried.Load(); n > 2 {
			t.Errorf("tried %d times in 100 ms: its own events wake it", n)
		}
		// While it fails, another change is not held back.
		b.want(inVRF("swp3", 2, 100002))
		synctest.Wait()
		b.expect("meanwhile", "swp3", 2, netmodel.ModeVRF, "Vrf100002")
		before := tried.Load()
		time.Sleep(10 * time.Minute)
		if n := tried.Load() - before; n < 15 || n > 60 {
			t.Errorf("%d retries in ten minutes", n)
		}
		b.sw.FailWhen(nil)
		time.Sleep(maxRetry)
		synctest.Wait()
		b.expect("mended", "swp1", 2, netmodel.ModeVRF, "Vrf100001")
		stop()
	})
}

// deaf hears no events, and may be blind.
type deaf struct {
	*memory.Switch
	mu      sync.Mutex
	blind   bool
	unknown []plan.Part
	looks   int
}

func (d *deaf) Watch(ctx context.Context, _ func(string)) error { <-ctx.Done(); return nil }

func (d *deaf) Observe(ctx context.Context) (plan.State, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks++
	if d.blind {
		return plan.State{}, errors.New("no buffer space available")
	}
	s, err := d.Switch.Observe(ctx)
	s.Unknown = d.unknown
	return s, err
}

func (d *deaf) looked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.looks
}

func (d *deaf) set(blind bool, unknown ...plan.Part) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.blind, d.unknown = blind, unknown
}

func TestMissedEventsCostLatencyOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		sys := &deaf{Switch: b.sw}
		stop := b.start(sys)
		b.want(inVRF("swp1", 2, 100001))
		synctest.Wait()
		b.sw.Alter("somebody's hand", func(s *plan.State) {
			p := s.Kernel.Ports["swp1"]
			p.Master = ""
			s.Kernel.Ports["swp1"] = p
		})
		time.Sleep(2 * time.Minute)
		b.expect("after a full pass", "swp1", 2, netmodel.ModeVRF, "Vrf100001")
		if o, _ := b.sw.Observe(t.Context()); o.Kernel.Ports["swp1"].Master != "Vrf100001" {
			t.Errorf("port is in %q", o.Kernel.Ports["swp1"].Master)
		}
		stop()
	})
}

func TestUnknownIsNotEmptyAndNotApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		sys := &deaf{Switch: b.sw}
		stop := b.start(sys)
		b.want(inVRF("swp1", 2, 100001))
		synctest.Wait()
		before := b.sw.Writes()

		sys.set(true)
		b.want(inVRF("swp1", 3, 100002))
		synctest.Wait()
		if n := b.sw.Writes() - before; n != 0 {
			t.Errorf("%d writes without having looked", n)
		}
		if r := b.last(); r.Ports["swp1"].AppliedGeneration != 2 || !strings.Contains(r.LastError, "no buffer space") {
			t.Errorf("report %+v", r)
		}
		sys.set(false, plan.PartFRR)
		time.Sleep(time.Minute)
		if s := b.port("swp1"); s.AppliedGeneration != 2 || !strings.Contains(s.Error, "could not read frr") {
			t.Errorf("half read: %+v", s)
		}
		if s := b.port("swp2"); s.AppliedGeneration != 1 || s.Error != "" {
			t.Errorf("what was read before: %+v", s)
		}
		sys.set(false)
		time.Sleep(maxRetry)
		synctest.Wait()
		b.expect("read again", "swp1", 3, netmodel.ModeVRF, "Vrf100002")
		stop()
	})
}

func TestBurstsBecomeFewPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		sys := &deaf{Switch: b.sw}
		stop := b.start(sys)
		b.want()
		synctest.Wait()
		time.Sleep(time.Second)
		looks := sys.looked()
		b.loop.Kick("link swp1")
		synctest.Wait()
		if sys.looked() != looks+1 {
			t.Errorf("a single event is not answered at once")
		}
		for i := range 1000 {
			b.loop.Kick(fmt.Sprint("link swp", i))
			time.Sleep(time.Millisecond)
		}
		if n := sys.looked() - looks; n < 40 || n > 60 {
			t.Errorf("%d passes for a second of events, want about 50", n)
		}
		stop()
	})
}

// Somebody who undoes what we do as soon as we do it gets less and less of our time.
func TestAFightSlowsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		stop := b.start(b.sw)
		b.want()
		synctest.Wait()
		var undone atomic.Int32
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for ctx.Err() == nil {
				time.Sleep(time.Millisecond)
				b.sw.Alter("somebody else", func(s *plan.State) {
					if p := s.Kernel.Ports["swp1"]; p.Up {
						p.Up = false
						undone.Add(1)
						s.Kernel.Ports["swp1"] = p
					}
				})
			}
		}()
		time.Sleep(time.Minute)
		cancel()
		if n := undone.Load(); n < 10 || n > 100 {
			t.Errorf("mended %d times in a minute", n)
		}
		time.Sleep(5 * time.Second)
		b.expect("after the fight", "swp1", 1, netmodel.ModeProvisioning, "")
		stop()
	})
}

// Killed after any step, the next start comes to the same end, and at no moment is the port in a VRF that is neither its old nor
// its new one.
func TestKilledAfterAnyStep(t *testing.T) {
	for kill := 1; ; kill++ {
		reached := false
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			stop := b.start(b.sw)
			b.want(inVRF("swp1", 2, 100001))
			synctest.Wait()
			steps := 0
			b.sw.Witness(func(op plan.Op, s plan.State) {
				if m := s.Kernel.Ports["swp1"].Master; m != "Vrf100001" && m != "Vrf100002" && m != "" {
					t.Errorf("killed after step %d: after %q the port is in %q", kill, op, m)
				}
			})
			b.sw.FailWhen(func(plan.Op) error {
				if steps++; steps > kill {
					reached = true
					return errors.New("killed")
				}
				return nil
			})
			b.want(inVRF("swp1", 3, 100002))
			synctest.Wait()
			stop()
			b.sw.FailWhen(nil)
			stop = b.start(b.sw)
			b.want()
			synctest.Wait()
			time.Sleep(time.Second)
			b.expect(fmt.Sprint("killed after step ", kill), "swp1", 3, netmodel.ModeVRF, "Vrf100002")
			if _, ok := b.last().VRFs["Vrf100001"]; ok {
				t.Errorf("killed after step %d: the old VRF stays", kill)
			}
			stop()
		})
		if !reached {
			if kill < 10 {
				t.Errorf("a move has only %d steps", kill)
			}
			return
		}
	}
}

func TestPortsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.sw.Unplug("swp4")
		stop := b.start(b.sw)
		b.want(inVRF("swp4", 2, 100001))
		synctest.Wait()
		if s := b.port("swp4"); s.AppliedGeneration != 0 || !strings.Contains(s.Error, "does not exist") {
			t.Errorf("a port that is not there: %+v", s)
		}
		b.expect("the others", "swp3", 1, netmodel.ModeProvisioning, "")
		b.sw.Plug("swp4")
		time.Sleep(time.Second)
		b.expect("plugged in", "swp4", 2, netmodel.ModeVRF, "Vrf100001")
		stop()
	})
}

func TestTheJournalSaysWhatWasAboutToBeDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		stop := b.start(b.sw)
		b.want(inVRF("swp1", 2, 100001))
		synctest.Wait()
		stop()
		text, err := os.ReadFile(filepath.Join(b.dir, "journal.log"))
		if err != nil {
			t.Fatal(err)
		}
		if s := string(text); !strings.Contains(s, " begin\n") || !strings.Contains(s, "move swp1 from") || !strings.Contains(s, " end\n") {
			t.Errorf("journal:\n%s", s)
		}
	})
}

// TestAPortThatGoesRevertsNobody: the session of a port that was pulled out is not a loss that another port's change is blamed for.
func TestAPortThatGoesRevertsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		stop := b.start(b.sw)
		b.want(inVRF("swp1", 2, 100001), inVRF("swp2", 2, 100002))
		synctest.Wait()
		b.session("swp1", true, "")
		b.session("swp2", true, "")
		time.Sleep(20 * time.Second)
		b.want(inVRF("swp3", 2, 100001)) // somebody else's allocation
		synctest.Wait()
		b.sw.Unplug("swp2")
		b.session("swp2", false, "")
		for range 12 { // its reversion would come and go
			time.Sleep(time.Second)
			b.expect("somebody else's", "swp3", 2, netmodel.ModeVRF, "Vrf100001")
			b.expect("a neighbour's", "swp1", 2, netmodel.ModeVRF, "Vrf100001")
		}
		if s := b.port("swp2"); !strings.Contains(s.Error, "does not exist") || s.RevertedGeneration != 0 {
			t.Errorf("the port that is gone: %+v", s)
		}
		if _, ok := b.last().VRFs["Vrf100002"]; ok {
			t.Error("the VRF of the port that is gone stays")
		}
		b.sw.Plug("swp2")
		time.Sleep(time.Second)
		b.expect("back", "swp2", 2, netmodel.ModeVRF, "Vrf100002")
		stop()
	})
}
