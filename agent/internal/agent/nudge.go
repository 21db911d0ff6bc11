package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/agent/internal/system/frr"
)

// A session that is configured on a port with a carrier and does not come up may be one that FRR has lost track of. bgpd has two connections
// to zebra, one of them for VNC, and each tells it of ports and their VRFs. If the second lags behind, as it may on a busy machine, bgpd takes
// the port through its VRFs once more after the first has told it the port's link-local address, and forgets that; when it is told the
// neighbour's then, it starts no session without one of its own, and waits for good. (Seen in the debug log of 8.4.4 at one of 795 moves in a
// row, and read in bgp_nbr_connected_add.) The port going down and up makes zebra tell both anew. A machine that does not speak yet looks the
// same but for what zebra has heard, so that the wait doubles each time, and begins anew with somebody new on the port.
//
// A session of the underlay that stands may be of no use all the same: bgpd 8.4.4 was seen to take both spines for unreachable, and so every
// switch, while zebra had the routes to their link-local addresses: since a port had come up in the default VRF, after zebra had been killed. Why
// is not known. It is the end of the leaf's ways to others, and is mended by the same means.
const (
	nudgeInterval = 2 * time.Second
	nudgeAfter    = 10 * time.Second
	// nudgeForgotten is for a neighbour whom zebra has heard and bgpd does not know: between the two it is a matter of milliseconds.
	nudgeForgotten = nudgeInterval
	// nudgeFabric is for the underlay, where a neighbour whose port has a carrier speaks or is about to.
	nudgeFabric = 4 * time.Second
	// nudgeRelink is how long a link may take to come back after a bounce.
	nudgeRelink = 30 * time.Second
	nudgeAtMost = 10 * time.Minute
	// nudgeApart lies between two uplinks whose sessions stand: the first may be all it takes, and uplinks that flap one right after the other
	// are hard on zebra's groups of next hops (system/linux, nexthopgroup.go).
	nudgeApart = 10 * time.Second
)

// nudger looks for such sessions.
type nudger struct {
	sessions func(ctx context.Context) ([]frr.Session, error)
	// hears reports whether zebra has heard a neighbour on a port of a VRF.
	hears func(ctx context.Context, vrf, port string) (bool, error)
	// lost are the next hops by which bgpd has routes in the underlay, and takes them for unreachable.
	lost   func(ctx context.Context) (map[netip.Addr]bool, error)
	system system.System
	// alone calls a function while nobody else applies anything. Where a port takes seconds to go down, as on SONiC, the agent would
	// otherwise see that it is told to be down, and put that right before it was.
	alone func(func())
	log   *slog.Logger
	down  map[string]*wait // by port
	// mended is when a session that stands was last helped.
	mended time.Time
}

type wait struct {
	vrf     string
	since   time.Time
	limit   time.Duration
	bounced bool
}

func newWait(s frr.Session, now time.Time) *wait {
	w := &wait{vrf: s.VRF, since: now, limit: nudgeAfter}
	if s.VRF == "" {
		w.limit = nudgeFabric
	}
	return w
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

// look bounces the ports whose time is up. Nobody is waited for at a port without a carrier.
func (n *nudger) look(ctx context.Context, sessions []frr.Session, now time.Time) {
	seen := map[string]bool{}
	lost := n.lostHops(ctx, sessions)
	var useless *frr.Session // the session that has stood without being of use for longest
	for _, s := range sessions {
		useful := s.Established && (!ofUnderlay(s) || !lost[s.Address])
		if s.Interface == "" || useful {
			continue
		}
		w := n.down[s.Interface]
		if !n.system.Carrier(s.Interface) {
			seen[s.Interface] = w != nil && w.bounced && now.Sub(w.since) < nudgeRelink
			continue
		}
		seen[s.Interface] = true
		if w == nil || w.vrf != s.VRF {
			n.down[s.Interface] = newWait(s, now)
			continue
		}
		if waited := now.Sub(w.since); waited < w.limit && (waited < nudgeForgotten || !n.forgotten(ctx, w, s)) {
			continue
		}
		if !s.Established {
			n.nudge(ctx, s, now)
		} else if useless == nil || w.since.Before(n.down[useless.Interface].since) {
			useless = &s
		}
	}
	if useless != nil && now.Sub(n.mended) >= nudgeApart {
		n.mended = now
		n.nudge(ctx, *useless, now)
	}
	for port := range n.down {
		if !seen[port] {
			delete(n.down, port)
		}
	}
}

// nudge bounces a port whose time is up.
func (n *nudger) nudge(ctx context.Context, s frr.Session, now time.Time) {
	w := n.down[s.Interface]
	w.since, w.limit, w.bounced = now, min(2*w.limit, nudgeAtMost), true
	n.alone(func() { n.bounce(ctx, s) })
}

// lostHops are the next hops of the underlay that bgpd takes for unreachable.
func (n *nudger) lostHops(ctx context.Context, sessions []frr.Session) map[netip.Addr]bool {
	if !slices.ContainsFunc(sessions, ofUnderlay) {
		return nil
	}
	lost, err := n.lost(ctx)
	if err != nil {
		n.log.Debug("ask for next hops that are lost", "err", err)
	}
	return lost
}

// ofUnderlay reports whether a session stands with another switch. A machine's neighbour may have the same link-local address as a switch.
func ofUnderlay(s frr.Session) bool {
	return s.VRF == "" && s.Established && s.Address.IsLinkLocalUnicast()
}

// forgotten reports whether a neighbour's address is known to zebra and not to bgpd, or known to both and thought unreachable by bgpd. Where a
// bounce did not help, another will not soon.
func (n *nudger) forgotten(ctx context.Context, w *wait, s frr.Session) bool {
	if w.bounced {
		return false
	}
	if s.Address.IsValid() {
		return s.Established
	}
	heard, err := n.hears(ctx, s.VRF, s.Interface)
	return err == nil && heard
}

func (n *nudger) bounce(ctx context.Context, s frr.Session) {
	why := "a session does not come up though its port has a carrier: the port goes down and up"
	if s.Established {
		why = "a session stands, and bgpd uses none of its routes, as it takes the neighbour for unreachable: the port goes down and up"
	}
	n.log.Warn(why, "port", s.Interface, "vrf", s.VRF, "state", s.State)
	var errs []error
	for _, r := range n.system.Apply(ctx, []plan.Op{plan.SetUp{Device: s.Interface}, plan.SetUp{Device: s.Interface, Up: true}}) {
		errs = append(errs, r.Err)
	}
	if err := errors.Join(errs...); err != nil {
		n.log.Warn("bounce port", "port", s.Interface, "err", err)
	}
}
