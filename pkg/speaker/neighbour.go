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
	"golang.org/x/net/ipv6"
)

// Intervals of neighbour discovery (RFC 4861 allows a router 3 s at the least; a machine that has just come up cannot wait).
const (
	fastSpan        = 30 * time.Second       // how long the fast intervals hold; nobody may be there
	solicitFast     = 100 * time.Millisecond // until a router is heard
	solicitSlow     = 2 * time.Second
	advertiseFast   = 200 * time.Millisecond // until a session is established
	advertiseSlow   = time.Second
	advertiseSteady = 5 * time.Second // once it is
	reopen          = 50 * time.Millisecond
)

var (
	allNodes   = netip.MustParseAddr("ff02::1")
	allRouters = netip.MustParseAddr("ff02::2")
)

// solicitAfter is the time to the next solicitation, when none was answered for so long: pure.
func solicitAfter(unanswered time.Duration) time.Duration {
	if unanswered > fastSpan {
		return solicitSlow
	}
	return solicitFast
}

// advertiseAfter is the time to the next advertisement, when the session is as it is for so long: pure.
func advertiseAfter(established bool, since time.Duration) time.Duration {
	switch {
	case established:
		return advertiseSteady
	case since > fastSpan:
		return advertiseSlow
	default:
		return advertiseFast
	}
}

// discover solicits and advertises on one uplink and listens for the router, until ctx ends.
func (s *Speaker) discover(ctx context.Context, l *link) error {
	ifc, err := net.InterfaceByName(l.name)
	if err != nil {
		return fmt.Errorf("find uplink %s: %w", l.name, err)
	}
	conn, err := listenForRouters(ifc)
	if err != nil {
		return err
	}
	defer conn.Close()
	var done sync.WaitGroup
	defer done.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done.Go(func() { s.advertise(ctx, conn, ifc, l) })
	done.Go(func() { s.solicit(ctx, conn, ifc, l) })
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	return s.listen(ctx, conn, l)
}

// listenForRouters opens an uplink for what routers say and are asked. It fails while the uplink has no link-local address.
func listenForRouters(ifc *net.Interface) (*ndp.Conn, error) {
	conn, _, err := ndp.Listen(ifc, ndp.LinkLocal)
	if err != nil {
		return nil, fmt.Errorf("listen for router advertisements on %s: %w", ifc.Name, err)
	}
	var only ipv6.ICMPFilter
	only.SetAll(true)
	only.Accept(ipv6.ICMPTypeRouterAdvertisement)
	only.Accept(ipv6.ICMPTypeRouterSolicitation)
	err = errors.Join(conn.JoinGroup(allRouters), conn.SetICMPFilter(&only), conn.SetControlMessage(ipv6.FlagHopLimit, true))
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("listen for router advertisements on %s: %w", ifc.Name, err)
	}
	return conn, nil
}

func (s *Speaker) listen(ctx context.Context, conn *ndp.Conn, l *link) error {
	for {
		message, control, from, err := conn.ReadFrom()
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the end was asked for, and the error is the deadline that brings it about
		case errors.Is(err, os.ErrDeadlineExceeded):
			continue
		case err != nil:
			var broken net.Error
			if errors.As(err, &broken) {
				return fmt.Errorf("read from %s: %w", l.name, err)
			}
			continue // a message that cannot be parsed is its sender's fault
		case control == nil || control.HopLimit != ndp.HopLimit:
			continue // it came from further away than this link (RFC 4861, section 6.1)
		}
		switch message.(type) {
		case *ndp.RouterAdvertisement:
			s.heard(l, from)
		case *ndp.RouterSolicitation:
			l.wake()
		}
	}
}

// heard notes the router of an uplink. While a session is established another cannot take its place.
func (s *Speaker) heard(l *link, router netip.Addr) {
	if !router.IsLinkLocalUnicast() || s.session(l.name).Established {
		return
	}
	if s.peers.set(l.name, router) {
		s.c.Log.Info("router heard", "uplink", l.name, "router", router)
		s.wake()
	}
}

// solicit asks until a router is heard: fast at first, then slowly for as long as the uplink is up.
func (s *Speaker) solicit(ctx context.Context, conn *ndp.Conn, ifc *net.Interface, l *link) {
	message := &ndp.RouterSolicitation{Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: ifc.HardwareAddr}}}
	for start := time.Now(); ctx.Err() == nil && !s.peers.on(l.name).IsValid(); {
		_ = conn.WriteTo(message, nil, allRouters) // the next try is as good
		pause(ctx, solicitAfter(time.Since(start)))
	}
}

// advertise tells the router our link-local address, which it needs to start its side. It keeps silent until we listen for that
// router: FRR connects as soon as it hears us, and after a refusal waits for its connect timer, a second or more. The lifetime of 0
// says that we route for nobody (RFC 4861, section 4.2).
func (s *Speaker) advertise(ctx context.Context, conn *ndp.Conn, ifc *net.Interface, l *link) {
	message := &ndp.RouterAdvertisement{CurrentHopLimit: 64, Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: ifc.HardwareAddr}}}
	start, was := time.Now(), false
	for ctx.Err() == nil {
		session := s.session(l.name)
		if session.listening() {
			_ = conn.WriteTo(message, nil, allNodes) // the next try is as good
		}
		is := session.Established
		if is != was {
			start, was = time.Now(), is
		}
		select {
		case <-ctx.Done():
		case <-l.advertise:
			pause(ctx, atLeast) // whoever asks without end is not answered without end
		case <-time.After(advertiseAfter(is, time.Since(start))):
		}
	}
}

// atLeast is the time between two advertisements.
const atLeast = 20 * time.Millisecond

// session is an uplink's session as it was told last.
func (s *Speaker) session(uplink string) Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, session := range s.sessions {
		if session.Interface == uplink {
			return session
		}
	}
	return Session{}
}
