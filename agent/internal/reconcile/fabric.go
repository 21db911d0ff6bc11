package reconcile

import (
	"context"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// A switch that boots is its machines' way as soon as their sessions stand, and loses their packets until it has the fabric's routes.
// So ports that lead into VRFs come up behind the uplinks, and those that the network OS has brought up from what it saved go down until then.
const (
	// fabricSettles is how long the youngest session of an uplink stands before its routes count as being in the kernel.
	fabricSettles = 2 * time.Second
	// fabricPoll is how often is looked while ports are held down.
	fabricPoll = 250 * time.Millisecond
)

// holdPorts returns the ports that stay down until the fabric is there; none once it was. A port that is up stays up, but at the first start
// after a boot: then nobody has come to rely on it.
func (l *Loop) holdPorts(ctx context.Context, observed plan.State, config netmodel.SwitchConfig) map[string]bool {
	l.holding = false
	if !l.fabric {
		l.fabric = l.cfg.Health == nil || time.Since(l.started) >= l.cfg.FabricWait || l.uplinksStand(ctx, observed, config)
		if l.fabric {
			l.keepBoot()
		}
	}
	if l.fabric {
		return nil
	}
	boots := l.kept.Boot != l.cfg.Boot
	held := map[string]bool{}
	for _, p := range config.Ports {
		if have, ok := observed.Kernel.Ports[p.Name]; ok && p.Role != netmodel.PortUplink && (boots || !have.Up) {
			held[p.Name], l.holding = true, true
		}
	}
	return held
}

// uplinksStand tells whether there is a session on an uplink, and on each that has a carrier, and all have settled. FRR that does not answer
// has none.
func (l *Loop) uplinksStand(ctx context.Context, observed plan.State, config netmodel.SwitchConfig) bool {
	since, err := l.cfg.Health.Underlay(ctx)
	if err != nil {
		return false
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
