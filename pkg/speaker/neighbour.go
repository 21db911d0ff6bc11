package speaker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Intervals of neighbour discovery (RFC 4861 allows a router 3 s at the least; a machine that has just come up cannot wait).
const (
	solicitInterval   = 100 * time.Millisecond // until a router is heard
	solicitSlow       = 2 * time.Second        // after solicitFast
	solicitFast       = 10 * time.Second
	advertiseFast     = 200 * time.Millisecond // until a session is established
	advertiseSlow     = 5 * time.Second
	reopen            = 100 * time.Millisecond
	advertiseFastSpan = 30 * time.Second
)

var (
	allNodes   = netip.MustParseAddr("ff02::1")
	allRouters = netip.MustParseAddr("ff02::2")
)

// follow speaks neighbour discovery on an uplink while it has a carrier, for as long as ctx lives. A carrier that goes takes the
// peer along at once: the hold time would take seconds.
func (s *Speaker) follow(ctx context.Context, u Uplink) {
	carrier := make(chan bool, 16)
	go watchCarrier(ctx, u.Interface, carrier)
	for {
		select {
		case <-ctx.Done():
			return
		case up := <-carrier:
			if !up {
				continue
			}
		}
		s.c.Log.Info("uplink is up", "uplink", u.Interface)
		for again := true; again; {
			again = s.discoverWhileUp(ctx, u, carrier)
		}
		if s.peers.set(u.Interface, netip.Addr{}) {
			s.wake()
		}
		s.c.Log.Info("uplink is down", "uplink", u.Interface)
	}
}

// discoverWhileUp runs neighbour discovery until the carrier goes, and says whether to try again because it failed instead.
func (s *Speaker) discoverWhileUp(ctx context.Context, u Uplink, carrier <-chan bool) (again bool) {
	running, cancel := context.WithCancel(ctx)
	failed := make(chan error, 1)
	var done sync.WaitGroup
	done.Go(func() { failed <- s.discover(running, u) })
	defer done.Wait()
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return false
		case up := <-carrier:
			if !up {
				return false
			}
		case err := <-failed:
			// The link-local address may still be on its way.
			s.c.Log.Debug("neighbour discovery", "uplink", u.Interface, "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(reopen):
			}
			return ctx.Err() == nil
		}
	}
}

// discover solicits and advertises on one uplink and listens for the router.
func (s *Speaker) discover(ctx context.Context, u Uplink) error {
	link, err := net.InterfaceByName(u.Interface)
	if err != nil {
		return fmt.Errorf("find uplink %s: %w", u.Interface, err)
	}
	conn, _, err := ndp.Listen(link, ndp.LinkLocal)
	if err != nil {
		return fmt.Errorf("listen for router advertisements on %s: %w", u.Interface, err)
	}
	defer conn.Close()
	if err := conn.JoinGroup(allRouters); err != nil {
		return fmt.Errorf("join all routers on %s: %w", u.Interface, err)
	}
	var done sync.WaitGroup
	defer done.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	solicited := make(chan struct{}, 1)
	done.Go(func() { s.advertise(ctx, conn, link, u, solicited) })
	done.Go(func() { s.solicit(ctx, conn, link, u) })
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	return s.listen(ctx, conn, u, solicited)
}

func (s *Speaker) listen(ctx context.Context, conn *ndp.Conn, u Uplink, solicited chan<- struct{}) error {
	for {
		message, _, from, err := conn.ReadFrom()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			continue
		case err != nil:
			var malformed net.Error
			if errors.As(err, &malformed) {
				return fmt.Errorf("read from %s: %w", u.Interface, err)
			}
			continue // a message that cannot be parsed is its sender's fault
		}
		switch message.(type) {
		case *ndp.RouterAdvertisement:
			if from.IsLinkLocalUnicast() && s.peers.set(u.Interface, from) {
				s.c.Log.Info("router heard", "uplink", u.Interface, "router", from)
				s.wake()
			}
		case *ndp.RouterSolicitation:
			select {
			case solicited <- struct{}{}:
			default:
			}
		}
	}
}

// solicit asks until a router is heard: fast at first, then slowly for as long as the uplink is up.
func (s *Speaker) solicit(ctx context.Context, conn *ndp.Conn, link *net.Interface, u Uplink) {
	message := &ndp.RouterSolicitation{Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: link.HardwareAddr}}}
	for start := time.Now(); !s.peers.on(u.Interface).IsValid(); {
		_ = conn.WriteTo(message, nil, allRouters) // the next try is as good
		wait := solicitInterval
		if time.Since(start) > solicitFast {
			wait = solicitSlow
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// advertise tells the router our link-local address, which it needs to start its side. The lifetime of 0 says that we route for
// nobody (RFC 4861, section 4.2).
func (s *Speaker) advertise(ctx context.Context, conn *ndp.Conn, link *net.Interface, u Uplink, solicited <-chan struct{}) {
	message := &ndp.RouterAdvertisement{CurrentHopLimit: 64, Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: link.HardwareAddr}}}
	for start := time.Now(); ; {
		_ = conn.WriteTo(message, nil, allNodes) // the next try is as good
		wait := advertiseSlow
		if !s.established(u.Interface) {
			wait = advertiseFast
			if time.Since(start) > advertiseFastSpan {
				wait = time.Second
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-solicited:
		case <-time.After(wait):
		}
	}
}

func (s *Speaker) established(uplink string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, session := range s.sessions {
		if session.Interface == uplink {
			return session.Established
		}
	}
	return false
}

// watchCarrier sends an uplink's carrier whenever it may have changed. The kernel's events wake it; what it sends is read.
func watchCarrier(ctx context.Context, name string, out chan<- bool) {
	for ctx.Err() == nil {
		if err := watchCarrierOnce(ctx, name, out); err != nil && ctx.Err() == nil {
			time.Sleep(reopen) // netlink lost messages, or could not be opened
		}
	}
}

func watchCarrierOnce(ctx context.Context, name string, out chan<- bool) error {
	updates := make(chan netlink.LinkUpdate, 64)
	if err := netlink.LinkSubscribe(updates, ctx.Done()); err != nil {
		return fmt.Errorf("watch links: %w", err)
	}
	last := carrier(name)
	out <- last
	for {
		select {
		case <-ctx.Done():
			return nil
		case update, ok := <-updates:
			if !ok {
				return errors.New("netlink subscription ended")
			}
			if update.Attrs().Name != name {
				continue
			}
		}
		if now := carrier(name); now != last {
			last = now
			select {
			case out <- now:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// carrier says whether an interface is up with a link at its other end.
func carrier(name string) bool {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return false
	}
	const running = unix.IFF_UP | unix.IFF_RUNNING
	return link.Attrs().RawFlags&running == running
}
