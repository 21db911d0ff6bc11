package agent

import (
	"context"
	"errors"

	"github.com/pointsman/pointsman/agent/internal/local"
	"github.com/pointsman/pointsman/agent/internal/reconcile"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/version"
)

// answers is what a running agent says of itself, to whoever asks on the switch.
type answers struct{ *agent }

var _ local.Source = answers{}

// Status implements local.Source.
func (a answers) Status(context.Context) (local.Status, error) {
	connected := a.follower.Connected()
	sessions := a.sessions.Sessions()
	a.mu.Lock()
	defer a.mu.Unlock()
	s := local.Status{
		Switch: a.cfg.Switch, Running: true, State: string(a.snapshot.State), Reason: a.snapshot.Reason, Since: local.Moment(a.started),
		LastPass: local.Moment(a.passed), AgentVersion: version.Version, FRRVersion: a.frrVersion, NetworkOS: a.cfg.System.Name(), Kernel: a.cfg.Kernel,
		Etcd: local.Etcd{Endpoints: a.cfg.Etcd.Endpoints(), Connected: &connected}, Templates: a.cfg.Templates,
		WantedGeneration: a.snapshot.Intent.Config.Generation, AppliedGeneration: a.report.ConfigGeneration,
		LastError: a.report.LastError, Drift: a.report.Drift,
		Ports: local.PortsOf(a.snapshot.Intent, a.report.Ports, sessions, a.report.Existing),
	}
	if s.State == "" {
		s.State, s.Reason = string(netmodel.AgentHolding), "no intent yet"
	}
	return s, nil
}

// Intent implements local.Source.
func (a answers) Intent(context.Context) (local.Intent, error) {
	a.mu.Lock()
	snapshot := a.snapshot
	a.mu.Unlock()
	if !snapshot.Known() {
		return local.Intent{}, errNoIntent
	}
	out, err := local.IntentOf(snapshot)
	out.Running = true
	return out, err
}

// Steps implements local.Source.
func (a answers) Steps(ctx context.Context) (local.Steps, error) {
	a.mu.Lock()
	snapshot := a.snapshot
	a.mu.Unlock()
	if !snapshot.Known() {
		return local.Steps{}, errNoIntent
	}
	ops, problems, err := reconcile.DryRun(ctx, a.cfg.System, snapshot.Intent, a.cfg.StateDir)
	if err != nil {
		return local.Steps{}, err
	}
	out := local.StepsOf(ops, problems)
	out.Running = true
	return out, nil
}

// Neighbours implements local.Source.
func (a answers) Neighbours(context.Context) (local.Neighbours, error) {
	return local.NeighboursOf(a.listener), nil
}

var errNoIntent = errors.New("no intent yet: the store has none for this switch, or was not reached")
