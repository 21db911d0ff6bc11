package agent

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/agent/internal/system/frr"
)

// A session that is configured on a port with a carrier and does not come up may be one that FRR has lost track of: bgpd 8.4.4 now and
// then misses the neighbour's address on a busy machine and waits for it for good. The port going down and up makes zebra tell it
// anew. A machine that does not speak yet looks the same, so that the wait doubles each time.
const (
	nudgeInterval = 2 * time.Second
	nudgeAfter    = 10 * time.Second
	nudgeAtMost   = 10 * time.Minute
)

// nudger looks for such sessions.
type nudger struct {
	sessions func(ctx context.Context) ([]frr.Session, error)
	system   system.System
	// alone calls a function while nobody else applies anything. Where a port takes seconds to go down, as on SONiC, the agent would
	// otherwise see that it is told to be down, and put that right before it was.
	alone func(func())
	log   *slog.Logger
	down  map[string]*wait // by port
}

type wait struct {
	vrf   string
	since time.Time
	limit time.Duration
}

func (n *nudger) run(ctx context.Context) {
	tick := time.NewTicker(nudgeInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if sessions, err := n.sessions(ctx); err == nil {
			n.look(ctx, sessions, time.Now())
		}
	}
}

// look bounces the ports whose time is up.
func (n *nudger) look(ctx context.Context, sessions []frr.Session, now time.Time) {
	seen := map[string]bool{}
	for _, s := range sessions {
		if s.Interface == "" || s.Established {
			continue
		}
		seen[s.Interface] = true
		w := n.down[s.Interface]
		if w == nil || w.vrf != s.VRF {
			n.down[s.Interface] = &wait{vrf: s.VRF, since: now, limit: nudgeAfter}
			continue
		}
		if now.Sub(w.since) < w.limit {
			continue
		}
		w.since, w.limit = now, min(2*w.limit, nudgeAtMost)
		n.alone(func() { n.bounce(ctx, s) })
	}
	for port := range n.down {
		if !seen[port] {
			delete(n.down, port)
		}
	}
}

func (n *nudger) bounce(ctx context.Context, s frr.Session) {
	state, err := n.system.Observe(ctx)
	if err != nil || !state.Kernel.Ports[s.Interface].OperUp {
		return // nobody is there
	}
	n.log.Warn("a session does not come up though its port has a carrier: the port goes down and up", "port", s.Interface, "vrf", s.VRF, "state", s.State)
	var errs []error
	for _, r := range n.system.Apply(ctx, []plan.Op{plan.SetUp{Device: s.Interface}, plan.SetUp{Device: s.Interface, Up: true}}) {
		errs = append(errs, r.Err)
	}
	if err := errors.Join(errs...); err != nil {
		n.log.Warn("bounce port", "port", s.Interface, "err", err)
	}
}
