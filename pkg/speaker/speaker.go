// Package speaker is a BGP unnumbered speaker for machines, on GoBGP: it finds the router at the other end of each uplink by its
// router advertisements, answers with its own, brings up a session over the link-local addresses, announces what it is told and
// yields what it learns. It re-announces nothing that it learned. It touches no kernel route and no address: who runs it does.
package speaker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	api "github.com/osrg/gobgp/v3/api"
)

// Config of a Speaker.
type Config struct {
	ASN      uint32
	RouterID netip.Addr // IPv4
	// Uplinks are the first interfaces to speak on, by name; see SetUplinks. They may come and go.
	Uplinks []Uplink
	// Announce are the first routes to announce; see Announce.
	Announce []Route
	// OnRoutes is told what is learned, whenever it differs. It must not block for long.
	OnRoutes func(routes map[netip.Prefix][]NextHop)
	// OnSessions is told the sessions, whenever they differ.
	OnSessions func(sessions []Session)
	Log        *slog.Logger
}

// Uplink is an interface with a router at its other end.
type Uplink struct {
	Interface string
	// PeerASN is the router's; 0 accepts any but our own.
	PeerASN uint32
}

// Route is a route to announce: with an empty AS path of its own before ours, unless ASPath says more.
type Route struct {
	Prefix netip.Prefix
	// Communities are standard communities (RFC 1997), such as 64512:1.
	Communities []string
	// ExtendedCommunities are route targets (RFC 4360), such as rt:64512:100001.
	ExtendedCommunities []string
	// LargeCommunities are those of RFC 8092, such as 4200000001:1:2.
	LargeCommunities []string
	ASPath           []uint32
}

// NextHop is one way to a destination.
type NextHop struct {
	Gateway   netip.Addr // link-local
	Interface string
}

// Session is the state of an uplink.
type Session struct {
	Interface string `json:"interface"`
	// Peer is the router's link-local address, zero while it is not known.
	Peer        netip.Addr `json:"peer"`
	PeerASN     uint32     `json:"peer_asn"`
	Established bool       `json:"established"`
	State       string     `json:"state"`
}

// listening says whether GoBGP takes the router's connection.
func (s Session) listening() bool {
	return s.Peer.IsValid() && s.State != api.PeerState_UNKNOWN.String() && s.State != api.PeerState_IDLE.String()
}

// Timers: the leaf's are the same; the lower hold time counts (RFC 4271, section 4.2).
const (
	holdTime          = 9
	keepalive         = 3
	connectRetry      = 1
	idleAtMost        = time.Second
	bgpPort           = 179
	settle            = 5 * time.Millisecond
	reconcileInterval = 2 * time.Second
)

// Speaker speaks BGP until its Run ends.
type Speaker struct {
	c     Config
	bgp   *engine
	kick  chan struct{}
	peers *peers
	links map[string]*link     // by interface; the loop's own
	added map[string]time.Time // when each peer was added; the loop's own

	mu        sync.Mutex
	uplinks   []Uplink
	announced map[netip.Prefix]announcement
	wanted    map[netip.Prefix]Route
	routes    map[netip.Prefix][]NextHop
	sessions  []Session
}

type announcement struct {
	route Route
	uuid  []byte
}

// New makes a Speaker; Run starts it.
func New(c Config) (*Speaker, error) {
	if c.ASN == 0 {
		return nil, fmt.Errorf("asn: is missing")
	}
	if !c.RouterID.Is4() {
		return nil, fmt.Errorf("router id: %s is not an IPv4 address", c.RouterID)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Speaker{
		c: c, kick: make(chan struct{}, 1), peers: newPeers(), links: map[string]*link{}, added: map[string]time.Time{},
		uplinks: slices.Clone(c.Uplinks), announced: map[netip.Prefix]announcement{},
	}
	if err := s.Announce(c.Announce); err != nil {
		return nil, err
	}
	return s, nil
}

// Announce replaces what is announced. Only differences are sent.
func (s *Speaker) Announce(routes []Route) error {
	wanted := map[netip.Prefix]Route{}
	for _, r := range routes {
		if err := r.Check(); err != nil {
			return fmt.Errorf("announce %s: %w", r.Prefix, err)
		}
		wanted[r.Prefix] = r
	}
	s.mu.Lock()
	s.wanted = wanted
	s.mu.Unlock()
	s.wake()
	return nil
}

func (s *Speaker) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// SetUplinks replaces the uplinks to speak on. Sessions on those that stay are left alone, unless the peer's ASN changed.
func (s *Speaker) SetUplinks(uplinks []Uplink) {
	s.mu.Lock()
	s.uplinks = slices.Clone(uplinks)
	s.mu.Unlock()
	s.wake()
}

func (s *Speaker) wantedUplinks() []Uplink {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.uplinks
}

// Run speaks until ctx ends; it then closes the sessions with a cease. It must be called once.
func (s *Speaker) Run(ctx context.Context) (err error) {
	s.bgp = takeEngine(s.c.Log)
	defer func() { err = errors.Join(err, s.bgp.release()) }()
	if err := s.bgp.start(ctx, s.c); err != nil {
		return err
	}
	watch := &api.WatchEventRequest{
		Peer:  &api.WatchEventRequest_Peer{},
		Table: &api.WatchEventRequest_Table{Filters: []*api.WatchEventRequest_Table_Filter{{Type: api.WatchEventRequest_Table_Filter_ADJIN}}},
	}
	if err := s.bgp.WatchEvent(ctx, watch, func(*api.WatchEventResponse) { s.wake() }); err != nil {
		return fmt.Errorf("watch BGP: %w", err)
	}
	defer s.reconcileLinks(ctx, nil)
	s.loop(ctx)
	return nil
}

// loop brings GoBGP in line with what is wanted, and tells what it knows. It is level-triggered: events only wake it.
func (s *Speaker) loop(ctx context.Context) {
	tick := time.NewTicker(reconcileInterval)
	defer tick.Stop()
	for {
		if err := s.reconcile(ctx); err != nil && ctx.Err() == nil {
			s.c.Log.Warn("reconcile BGP", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.kick:
			time.Sleep(settle) // routes of one update come in several events
		}
	}
}

func (s *Speaker) reconcile(ctx context.Context) error {
	s.reconcileLinks(ctx, s.wantedUplinks())
	if err := s.reconcileAnnouncements(ctx); err != nil {
		return err
	}
	if err := s.reconcilePeers(ctx); err != nil {
		return err
	}
	return s.report(ctx)
}

func (s *Speaker) reconcileAnnouncements(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for prefix, a := range s.announced {
		if w, ok := s.wanted[prefix]; ok && w.Equal(a.route) {
			continue
		}
		if err := s.bgp.DeletePath(ctx, &api.DeletePathRequest{TableType: api.TableType_GLOBAL, Uuid: a.uuid}); err != nil {
			return fmt.Errorf("withdraw %s: %w", prefix, err)
		}
		delete(s.announced, prefix)
	}
	for _, prefix := range slices.SortedFunc(maps.Keys(s.wanted), netip.Prefix.Compare) {
		if _, ok := s.announced[prefix]; ok {
			continue
		}
		path, err := newPath(s.wanted[prefix])
		if err != nil {
			return fmt.Errorf("announce %s: %w", prefix, err)
		}
		answer, err := s.bgp.AddPath(ctx, &api.AddPathRequest{TableType: api.TableType_GLOBAL, Path: path})
		if err != nil {
			return fmt.Errorf("announce %s: %w", prefix, err)
		}
		s.announced[prefix] = announcement{s.wanted[prefix], answer.Uuid}
	}
	return nil
}

// Equal reports whether two routes are announced alike.
func (r Route) Equal(o Route) bool {
	return r.Prefix == o.Prefix && slices.Equal(r.Communities, o.Communities) && slices.Equal(r.ExtendedCommunities, o.ExtendedCommunities) &&
		slices.Equal(r.LargeCommunities, o.LargeCommunities) && slices.Equal(r.ASPath, o.ASPath)
}

// Check reports what of a route cannot be announced.
func (r Route) Check() error {
	_, err := attributes(r)
	return err
}
