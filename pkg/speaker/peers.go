package speaker

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	api "github.com/osrg/gobgp/v3/api"
)

// peers are the routers heard on uplinks that have a carrier.
type peers struct {
	mu    sync.Mutex
	heard map[string]netip.Addr // by interface
}

func newPeers() *peers { return &peers{heard: map[string]netip.Addr{}} }

// set notes the router on an uplink, or that there is none. It reports whether that is news.
func (p *peers) set(uplink string, router netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	router = router.WithZone("")
	if p.heard[uplink] == router {
		return false
	}
	if router.IsValid() {
		p.heard[uplink] = router
	} else {
		delete(p.heard, uplink)
	}
	return true
}

func (p *peers) on(uplink string) netip.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heard[uplink]
}

var families = []*api.Family{
	{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST},
	{Afi: api.Family_AFI_IP6, Safi: api.Family_SAFI_UNICAST},
}

// reconcilePeers makes GoBGP's peers those that are heard.
func (s *Speaker) reconcilePeers(ctx context.Context) error {
	have, err := s.listPeers(ctx)
	if err != nil {
		return err
	}
	want := map[string]Uplink{}
	for _, u := range s.wantedUplinks() {
		if router := s.peers.on(u.Interface); router.IsValid() {
			want[router.WithZone(u.Interface).String()] = u
		}
	}
	for address, peer := range have {
		if u, ok := want[address]; ok && u.PeerASN == peer.GetConf().GetPeerAsn() && !s.idles(address, peer) {
			continue
		}
		s.c.Log.Info("drop peer", "peer", address)
		if err := s.bgp.DeletePeer(ctx, &api.DeletePeerRequest{Address: address}); err != nil {
			return fmt.Errorf("drop peer %s: %w", address, err)
		}
		delete(have, address)
	}
	for address, u := range want {
		if _, ok := have[address]; ok {
			continue
		}
		s.c.Log.Info("add peer", "peer", address)
		if err := s.bgp.AddPeer(ctx, &api.AddPeerRequest{Peer: newPeer(address, u)}); err != nil {
			return fmt.Errorf("add peer %s: %w", address, err)
		}
		s.added[address] = time.Now()
	}
	return nil
}

// idles says whether a peer is to be made anew: after a session GoBGP leaves it idle for 5 s, whatever its timers say, and refuses
// the router meanwhile. A peer that was just made is left alone, so that a router that refuses us is asked once a second.
func (s *Speaker) idles(address string, peer *api.Peer) bool {
	if peer.GetState().GetSessionState() != api.PeerState_IDLE {
		return false
	}
	young := idleAtMost - time.Since(s.added[address])
	if young > 0 {
		time.AfterFunc(young, s.wake)
	}
	return young <= 0
}

func newPeer(address string, u Uplink) *api.Peer {
	p := &api.Peer{
		Conf: &api.PeerConf{NeighborAddress: address, PeerAsn: u.PeerASN, Type: api.PeerType_EXTERNAL},
		Timers: &api.Timers{Config: &api.TimersConfig{
			ConnectRetry: connectRetry, HoldTime: holdTime, KeepaliveInterval: keepalive,
		}},
		// The unspecified local address keeps GoBGP from announcing "::" as the next hop, which FRR calls martian.
		Transport: &api.Transport{BindInterface: u.Interface, LocalAddress: "::"},
	}
	for _, f := range families {
		p.AfiSafis = append(p.AfiSafis, &api.AfiSafi{Config: &api.AfiSafiConfig{Family: f, Enabled: true}})
	}
	return p
}

// listPeers are GoBGP's peers by address, with its zone.
func (s *Speaker) listPeers(ctx context.Context) (map[string]*api.Peer, error) {
	out := map[string]*api.Peer{}
	err := s.bgp.ListPeer(ctx, &api.ListPeerRequest{}, func(p *api.Peer) { out[p.GetConf().GetNeighborAddress()] = p })
	if err != nil {
		return nil, fmt.Errorf("list peers: %w", err)
	}
	return out, nil
}

// report tells sessions and routes where they differ from what was told last.
func (s *Speaker) report(ctx context.Context) error {
	have, err := s.listPeers(ctx)
	if err != nil {
		return err
	}
	var sessions []Session
	rib := rib{}
	for _, u := range s.wantedUplinks() {
		session := Session{Interface: u.Interface, Peer: s.peers.on(u.Interface), State: "no router heard"}
		if p, ok := have[session.Peer.WithZone(u.Interface).String()]; ok && session.Peer.IsValid() {
			session.PeerASN = p.GetState().GetPeerAsn()
			session.Established = p.GetState().GetSessionState() == api.PeerState_ESTABLISHED
			session.State = p.GetState().GetSessionState().String()
		}
		sessions = append(sessions, session)
		if session.Established {
			if err := s.learn(ctx, rib, session); err != nil {
				return err
			}
		}
	}
	s.tell(sessions, rib.ecmp())
	return nil
}

func (s *Speaker) tell(sessions []Session, routes map[netip.Prefix][]NextHop) {
	s.mu.Lock()
	newSessions := !slices.Equal(s.sessions, sessions)
	newRoutes := s.routes == nil || !equalRoutes(s.routes, routes)
	s.sessions, s.routes = sessions, routes
	s.mu.Unlock()
	if newSessions {
		for _, l := range s.links {
			l.wake() // the interval of its advertisements may be another now
		}
	}
	if newSessions && s.c.OnSessions != nil {
		s.c.OnSessions(slices.Clone(sessions))
	}
	if newRoutes && s.c.OnRoutes != nil {
		s.c.OnRoutes(routes)
	}
}
