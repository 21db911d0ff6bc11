// Package agent puts the rooms of the agent together: intent feeds reconcile, reconcile tells session and probe what to look for,
// and all of them tell status. It owns no decision; it owns who tells whom. The run command calls it with a real switch,
// simulations with one in memory.
package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/lldp"
	"github.com/pointsman/pointsman/agent/internal/local"
	"github.com/pointsman/pointsman/agent/internal/metrics"
	"github.com/pointsman/pointsman/agent/internal/probe"
	"github.com/pointsman/pointsman/agent/internal/reconcile"
	"github.com/pointsman/pointsman/agent/internal/session"
	"github.com/pointsman/pointsman/agent/internal/status"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// System is a switch that is run: its configuration and its routes.
type System interface {
	system.System
	system.Routes
}

// FRR is what is read of FRR beside its configuration.
type FRR interface {
	probe.EVPN
	Sessions(ctx context.Context) ([]frr.Session, error)
	Hears(ctx context.Context, vrf, port string) (bool, error)
	LostNextHops(ctx context.Context) (map[netip.Addr]bool, error)
	Version(ctx context.Context) (string, error)
	Watch(ctx context.Context, kick func(why string)) error
}

// Config is what an Agent works with.
type Config struct {
	Switch   string
	StateDir string
	System   System
	FRR      FRR
	Etcd     *clientv3.Client
	// CutOff tells whether etcd gives no answer at all until ctx ends.
	CutOff                                func(ctx context.Context) bool
	ConfirmWindow, FullPass, HeartbeatTTL time.Duration
	FabricWait                            time.Duration // see reconcile.Config
	// Ready is called once, when what may come up with FRR on a switch that boots is held down, at the latest after FabricWait.
	Ready func()
	// SendLLDP makes the agent send LLDP; Discover makes it listen. Ports tells which ports are ours.
	SendLLDP, Discover bool
	Ports              func(port string) bool
	Kernel, BootID     string
	// Metrics is the address that Prometheus reads; "" is none. MetricsDevice is the device to listen on, "" any.
	Metrics, MetricsDevice string
	// Templates is what is to be said of the templates in force, TemplatesRefused why an operator's are not.
	Templates        string
	TemplatesRefused error
	Log              *slog.Logger
}

// Run runs an agent until ctx ends. The data plane stays as it is then.
func Run(ctx context.Context, cfg Config) error {
	a := &agent{cfg: cfg, log: cfg.Log, started: time.Now(), follower: intent.Open(cfg.Switch, cfg.StateDir, cfg.Etcd, cfg.Log)}
	a.writer = status.New(cfg.Switch, cfg.Etcd, cfg.Log)
	a.sessions = session.New(cfg.FRR.Sessions, a.writer.SetSessions, cfg.Log)
	a.listener = &lldp.Listener{
		Switch: cfg.Switch, Want: cfg.Ports, Log: cfg.Log, OnChange: func(_ string, d netmodel.Discovery) { a.writer.SetDiscovery(d) },
	}
	a.metrics = metrics.New(answers{a})
	a.prober = probe.New(cfg.System, cfg.FRR, a.writer.SetProbes, cfg.Log)
	ready := func() {}
	if cfg.Ready != nil {
		ready = sync.OnceFunc(cfg.Ready)
		defer time.AfterFunc(cfg.FabricWait, ready).Stop()
	}
	if !a.follower.Knows() {
		ready() // there is nothing to hold
	}
	var err error
	a.loop, err = reconcile.New(reconcile.Config{
		System: cfg.System, Health: health{a}, StateDir: cfg.StateDir, ConfirmWindow: cfg.ConfirmWindow, FullPass: cfg.FullPass,
		FabricWait: cfg.FabricWait, Boot: cfg.BootID, OnPassed: ready, OnReport: a.reported, Meter: a.metrics, Log: cfg.Log,
	})
	if err != nil {
		return fmt.Errorf("start agent of switch %q: %w", cfg.Switch, err)
	}
	go (&nudger{sessions: cfg.FRR.Sessions, hears: cfg.FRR.Hears, lost: cfg.FRR.LostNextHops, system: cfg.System, alone: a.loop.BetweenPasses, log: cfg.Log, down: map[string]*wait{}}).run(ctx)
	a.run(ctx)
	return nil
}

type agent struct {
	cfg      Config
	log      *slog.Logger
	follower *intent.Follower
	loop     *reconcile.Loop
	writer   *status.Writer
	sessions *session.Monitor
	prober   *probe.Prober
	listener *lldp.Listener
	metrics  *metrics.Metrics
	started  time.Time

	mu         sync.Mutex // guards what the agent's own status is made of
	snapshot   intent.Snapshot
	report     reconcile.Report
	looked     bool // there is a report
	passed     time.Time
	frrVersion string
	askedFRR   bool // it answered, or did not
}

// run keeps every room going. A room that fails is opened again: a switch without LLDP still has to be configured.
func (a *agent) run(ctx context.Context) {
	var wg sync.WaitGroup
	room := func(name string, run func(context.Context) error) {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := run(ctx); err != nil && ctx.Err() == nil {
					a.log.Error("a part of the agent failed and is started again", "part", name, "err", err)
				}
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		})
	}
	wg.Go(func() { _ = a.loop.Run(ctx) }) // first, so that the first kick finds it
	room("kernel events", func(ctx context.Context) error { return a.cfg.System.Watch(ctx, a.kernelChanged) })
	room("frr events", func(ctx context.Context) error { return a.cfg.FRR.Watch(ctx, a.frrRestarted) })
	room("frr version", a.followVersion)
	room("intent", func(ctx context.Context) error { return a.follower.Run(ctx, a.intended) })
	room("adoption", a.follower.ServeAdoption)
	room("answers", func(ctx context.Context) error { return local.Serve(ctx, local.Socket(a.cfg.StateDir), answers{a}) })
	if a.cfg.Metrics != "" {
		room("metrics", func(ctx context.Context) error { return a.metrics.Serve(ctx, a.cfg.Metrics, a.cfg.MetricsDevice) })
	}
	room("sessions", a.sessions.Run)
	room("probes", a.prober.Run)
	room("status", a.writer.Run)
	room("heartbeat", status.Heartbeat{
		Switch: a.cfg.Switch, Client: a.cfg.Etcd, TTL: a.cfg.HeartbeatTTL, Log: a.log,
		Alive: netmodel.Alive{BootID: a.cfg.BootID, Since: time.Now()},
	}.Run)
	if a.cfg.Discover {
		room("lldp listener", a.listener.Run)
	}
	if a.cfg.SendLLDP {
		room("lldp sender", a.sendLLDP)
	}
	wg.Wait()
}

// health is what the loop may not make worse.
type health struct{ *agent }

func (h health) Sessions() []netmodel.SessionStatus { return h.sessions.Sessions() }
func (h health) Connected() bool                    { return h.follower.Connected() }
func (h health) CutOff(ctx context.Context) bool    { return h.cfg.CutOff(ctx) }

// Underlay implements reconcile.Health.
func (h health) Underlay(ctx context.Context) (map[string]time.Time, error) {
	sessions, err := h.cfg.FRR.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	since := map[string]time.Time{}
	for _, s := range sessions {
		if s.VRF == "" && s.Established {
			since[s.Interface] = s.EstablishedTime
		}
	}
	return since, nil
}
