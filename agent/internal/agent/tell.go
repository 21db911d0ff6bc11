package agent

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/lldp"
	"github.com/pointsman/pointsman/agent/internal/probe"
	"github.com/pointsman/pointsman/agent/internal/reconcile"
	"github.com/pointsman/pointsman/agent/internal/session"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/version"
)

// intended: the store, or the disk, says what is in force.
func (a *agent) intended(s intent.Snapshot) {
	a.mu.Lock()
	a.snapshot = s
	a.mu.Unlock()
	a.loop.SetIntent(s)
	a.ask()
	a.tell()
}

// reported: a pass is done.
func (a *agent) reported(r reconcile.Report) {
	a.mu.Lock()
	a.report, a.looked, a.passed = r, true, time.Now()
	a.mu.Unlock()
	if r.Ports != nil { // there was an intent
		a.sessions.Want(wanted(r.Sessions))
		a.writer.SetPorts(r.Ports)
	}
	a.ask()
	a.tell()
}

func wanted(in map[string]reconcile.WantedSession) map[string]session.Wanted {
	out := map[string]session.Wanted{}
	for port, w := range in {
		out[port] = session.Wanted(w)
	}
	return out
}

// ask tells the prober what it is asked and which VRFs there are.
func (a *agent) ask() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.snapshot.Known() && a.looked {
		a.prober.Ask(probe.Asked{Config: a.snapshot.Intent.Config, Probes: a.snapshot.Intent.Probes, VRFs: a.report.VRFs})
	}
}

// tell reports the switch as a whole.
func (a *agent) tell() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.looked || !a.askedFRR || a.snapshot.FromDisk { // what is not known yet is not said, and least of all over what was
		return
	}
	s := netmodel.SwitchStatus{
		Switch: a.cfg.Switch, State: a.snapshot.State, Reason: a.snapshot.Reason, AgentVersion: version.Version, FRRVersion: a.frrVersion,
		NetworkOS: a.cfg.System.Name(), Kernel: a.cfg.Kernel, ConfigGeneration: a.report.ConfigGeneration,
		Drift: a.report.Drift, LastError: a.lastError(), Ports: a.report.Existing, Capabilities: a.report.Capabilities,
	}
	if s.State == "" {
		s.State, s.Reason = netmodel.AgentHolding, "no intent yet"
	}
	a.writer.SetAgent(s)
}

// lastError is what is wrong with the switch as a whole. The caller holds the lock.
func (a *agent) lastError() string {
	if a.cfg.TemplatesRefused == nil {
		return a.report.LastError
	}
	refused := "templates are refused: " + a.cfg.TemplatesRefused.Error()
	if a.report.LastError == "" {
		return refused
	}
	return a.report.LastError + "; " + refused
}

// kernelChanged: links, addresses, rules or sysctls did. Sessions follow links.
func (a *agent) kernelChanged(why string) {
	a.loop.Kick(why)
	a.sessions.Kick()
}

// frrRestarted: a daemon came back, and has forgotten what it was told.
func (a *agent) frrRestarted(why string) {
	a.log.Info("frr daemon came back", "daemon", why)
	a.loop.Restarted(why)
	a.sessions.Kick()
}

// versionEvery is how often FRR is asked for its version: it changes with an upgrade.
const versionEvery = 5 * time.Minute

func (a *agent) followVersion(ctx context.Context) error {
	asked, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	v, err := a.cfg.FRR.Version(asked)
	wait := versionEvery
	if err != nil {
		a.log.Debug("version of FRR is unknown", "err", err)
		wait = 2 * time.Second
	}
	a.mu.Lock()
	a.askedFRR = true
	if err == nil {
		a.frrVersion = v
	}
	a.mu.Unlock()
	a.tell()
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
	return nil
}

// sendLLDP announces the switch by the MAC of its first port, as soon as it has one.
func (a *agent) sendLLDP(ctx context.Context) error {
	facts, err := a.cfg.System.Facts(ctx)
	if err != nil {
		return fmt.Errorf("read ports for LLDP: %w", err)
	}
	names := slices.Sorted(maps.Keys(facts.Ports))
	if len(names) == 0 {
		return nil
	}
	mac := facts.Ports[names[0]].MAC
	return lldp.NewSender(lldp.SenderConfig{
		Want: a.cfg.Ports, ChassisID: lldp.MACChassisID(net.HardwareAddr(mac[:])), SystemName: a.cfg.Switch,
		SystemDescription: "pointsman-agent " + version.Version, Log: a.log,
	}).Run(ctx)
}
