package speaker

import (
	"context"
	"net/netip"
	"sync"
)

// link is an uplink that is spoken on.
type link struct {
	name string
	// advertise asks for a router advertisement now.
	advertise chan struct{}
	stop      func()
}

func (l *link) wake() {
	select {
	case l.advertise <- struct{}{}:
	default:
	}
}

// reconcileLinks speaks on the wanted uplinks and on no other. Only the loop calls it.
func (s *Speaker) reconcileLinks(ctx context.Context, wanted []Uplink) {
	keep := map[string]bool{}
	for _, u := range wanted {
		keep[u.Interface] = true
		if s.links[u.Interface] == nil {
			s.links[u.Interface] = s.startLink(ctx, u.Interface)
		}
	}
	for name, l := range s.links {
		if !keep[name] {
			l.stop()
			delete(s.links, name)
		}
	}
}

func (s *Speaker) startLink(ctx context.Context, name string) *link {
	ctx, cancel := context.WithCancel(ctx)
	l := &link{name: name, advertise: make(chan struct{}, 1)}
	var done sync.WaitGroup
	changes := make(chan present)
	done.Go(func() { watchCarrier(ctx, name, changes) })
	done.Go(func() { s.follow(ctx, l, changes) })
	l.stop = func() { cancel(); done.Wait(); s.peers.set(name, netip.Addr{}) }
	return l
}

// follow speaks neighbour discovery on an uplink while it has a carrier, for as long as ctx lives. A carrier that goes takes the
// peer along at once: the hold time would take seconds.
func (s *Speaker) follow(ctx context.Context, l *link, changes <-chan present) {
	var now present
	for {
		if now == 0 {
			select {
			case <-ctx.Done():
				return
			case now = <-changes:
				continue
			}
		}
		s.c.Log.Info("uplink is up", "uplink", l.name)
		now = s.discoverWhile(ctx, l, now, changes)
		if s.peers.set(l.name, netip.Addr{}) {
			s.wake()
		}
		s.c.Log.Info("uplink is down", "uplink", l.name)
		if ctx.Err() != nil {
			return
		}
	}
}

// discoverWhile runs neighbour discovery, again and again if it fails, until the uplink is something else; it returns what.
func (s *Speaker) discoverWhile(ctx context.Context, l *link, is present, changes <-chan present) present {
	running, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	defer done.Wait()
	defer cancel()
	done.Go(func() {
		for running.Err() == nil {
			if err := s.discover(running, l); err != nil {
				s.c.Log.Debug("neighbour discovery", "uplink", l.name, "error", err) // its link-local address may be on its way
				pause(running, reopen)
			}
		}
	})
	for {
		select {
		case <-ctx.Done():
			return 0
		case now := <-changes:
			if now != is {
				return now
			}
		}
	}
}
