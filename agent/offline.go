package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/pointsman/pointsman/agent/internal/config"
	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/local"
	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/reconcile"
	"github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/version"
)

// lookTimeout is how long a switch may take to be read.
const lookTimeout = 30 * time.Second

// onSwitch opens the switch for one look.
func onSwitch[V any](ctx context.Context, cfg config.Config, look func(opened) (V, error)) (V, error) {
	sw, err := openSystem(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		var none V
		return none, err
	}
	defer sw.close()
	return look(sw)
}

func offlineSteps(ctx context.Context, cfg config.Config) (local.Steps, error) {
	last, err := lastIntent(cfg)
	if err != nil {
		return local.Steps{}, err
	}
	return onSwitch(ctx, cfg, func(sw opened) (local.Steps, error) {
		ops, problems, err := reconcile.DryRun(ctx, sw.sys, last.Intent, cfg.StateDir)
		return local.StepsOf(ops, problems), err
	})
}

// offlineStatus reads what it can, and says what it cannot.
func offlineStatus(ctx context.Context, cfg config.Config) (local.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	out := local.Status{Switch: cfg.Switch, AgentVersion: version.Version, Etcd: local.Etcd{Endpoints: cfg.Etcd.Endpoints}, Ports: []local.Port{}}
	note := func(format string, args ...any) { out.Notes = append(out.Notes, fmt.Sprintf(format, args...)) }
	note("no agent answers on %s: generations, errors and the connection to etcd are unknown", local.Socket(cfg.StateDir))
	last, err := intent.Read(cfg.StateDir)
	if err != nil {
		note("%v", err)
	} else if !last.Known() {
		note("no intent is on disk yet in %s", cfg.StateDir)
	}
	out.WantedGeneration = last.Intent.Config.Generation
	return onSwitch(ctx, cfg, func(sw opened) (local.Status, error) {
		observed, err := sw.sys.Observe(ctx)
		if err != nil {
			note("the kernel could not be read: %v", err)
		}
		for _, part := range observed.Unknown {
			note("could not read %s", part)
		}
		out.NetworkOS, out.FRRVersion, out.Templates = sw.sys.Name(), frrVersion(ctx, sw.frr, note), sw.templates
		out.Ports = local.PortsOf(last.Intent, reconcile.Places(observed), frrSessions(ctx, sw.frr, note), portsThere(observed))
		return out, nil
	})
}

func portsThere(observed plan.State) []string {
	return slices.Sorted(maps.Keys(observed.Kernel.Ports))
}

func frrVersion(ctx context.Context, routing *frr.Client, note func(string, ...any)) string {
	v, err := routing.Version(ctx)
	if err != nil {
		note("FRR's version is unknown: %v", err)
	}
	return v
}

func frrSessions(ctx context.Context, routing *frr.Client, note func(string, ...any)) []netmodel.SessionStatus {
	sessions, err := routing.Sessions(ctx)
	if err != nil {
		note("BGP sessions are unknown: %v", err)
	}
	var out []netmodel.SessionStatus
	for _, s := range sessions {
		out = append(out, netmodel.SessionStatus{
			Port: s.Interface, VRF: s.VRF, State: s.State, Established: s.Established, PeerASN: s.RemoteAS,
			PrefixesReceived: s.PrefixesReceived, EstablishedTime: s.EstablishedTime, LastResetReason: s.LastResetReason,
		})
	}
	return out
}
