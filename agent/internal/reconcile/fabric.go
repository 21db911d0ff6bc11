package reconcile

import (
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// A switch that boots is its machines' way as soon as their sessions stand, and loses their packets until it has the fabric's routes.
// So ports that lead into VRFs come up behind the uplinks.
const (
	// fabricSettles is how long the youngest session of an uplink stands before its routes count as being in the kernel.
	fabricSettles = 2 * time.Second
	// fabricPoll is how often is looked while ports are held down.
	fabricPoll = 250 * time.Millisecond
)

// holdPorts returns the ports that stay down until the fabric is there; none once it was. A port that is up stays up.
func (l *Loop) holdPorts(observed plan.State, config netmodel.SwitchConfig) map[string]bool {
	l.holding = false
	if l.fabric = l.fabric || l.cfg.Health == nil || time.Since(l.started) >= l.cfg.FabricWait || l.uplinksStand(observed, config); l.fabric {
		return nil
	}
	held := map[string]bool{}
	for _, p := range config.Ports {
		if have, ok := observed.Kernel.Ports[p.Name]; ok && p.Role != netmodel.PortUplink && !have.Up {
			held[p.Name], l.holding = true, true
		}
	}
	return held
}

// uplinksStand tells whether there is a session on an uplink, and on each that has a carrier, and all have settled.
func (l *Loop) uplinksStand(observed plan.State, config netmodel.SwitchConfig) bool {
	since := map[string]time.Time{}
	for _, s := range l.cfg.Health.Sessions() {
		if s.Established {
			since[s.Port] = s.EstablishedTime
		}
	}
	stand := false
	for _, p := range config.Ports {
		if p.Role != netmodel.PortUplink || !observed.Kernel.Ports[p.Name].OperUp {
			continue
		}
		established, ok := since[p.Name]
		if !ok || time.Since(established) < fabricSettles {
			return false
		}
		stand = true
	}
	return stand
}
