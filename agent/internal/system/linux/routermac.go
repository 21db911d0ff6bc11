package linux

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// A next hop of a type 5 route is a VTEP's address on the VRF's SVI, for which zebra enters a neighbour with the VTEP's router MAC
// and a forwarding entry of the VXLAN device. zebra 8.4.4 loses both when bgpd deletes and adds a route in one burst: it enters
// the new route's first and removes the old one's after. The route then stands, and its packets go nowhere.
const (
	// routerMACGrace is how long zebra has to enter them itself. If it removes them later, they are entered again.
	routerMACGrace = 100 * time.Millisecond
	// routerMACGone is how long one that was removed may be about to come back, or its route to go.
	routerMACGone = 20 * time.Millisecond
	// routerMACRest is how much longer than a look the pause after it is at least: all routes of all VRFs are looked at.
	routerMACRest = 49
	// routerMACGoneRest is the same after one was removed: many are removed at once when a switch goes, and each would make for a look.
	routerMACGoneRest = 9
	// routerMACGraceAtMost bounds both, as a look takes long on a busy switch too, and packets wait.
	routerMACGraceAtMost = 400 * time.Millisecond
	// routerMACPass catches what events missed.
	routerMACPass = 5 * time.Second
)

// KeepRouterMACs enters what zebra has lost until ctx ends. The router MAC is what the VTEP announces with the route: switches of one fabric
// have theirs from different places.
func (s *System) KeepRouterMACs(ctx context.Context, r system.Routing) {
	wake, gone := s.routesChanged(ctx), s.neighboursGone(ctx)
	var before map[tunnelHop]netip.Prefix
	var certain bool       // that what is missing is not only on its way
	var wait time.Duration // doubles after routes have changed, as zebra removes late what it entered
	for {
		began := time.Now()
		missing, err := missingRouterMACs()
		if err != nil {
			s.log.Warn("read next hops of VRFs", "err", err)
		}
		for hop, prefix := range missing {
			if _, still := before[hop]; still || certain {
				s.enterRouterMAC(ctx, r, hop, prefix)
			}
		}
		before, certain = missing, false
		took := time.Since(began)
		grace := min(max(routerMACGrace, routerMACRest*took), routerMACGraceAtMost)
		wait = min(max(2*wait, grace), routerMACPass)
		if len(missing) > 0 {
			wait = grace
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		case <-gone:
			if !pause(ctx, min(max(routerMACGone, routerMACGoneRest*took), routerMACGraceAtMost)) {
				return
			}
			certain = true
		case <-wake:
			if !pause(ctx, grace) {
				return
			}
			wait = 0
		}
	}
}

// neighboursGone has something for as long as neighbours of VTEPs were removed that it was not asked about. Without a subscription the looks go on.
func (s *System) neighboursGone(ctx context.Context) <-chan struct{} {
	events, gone := make(chan netlink.NeighUpdate, 64), make(chan struct{}, 1)
	lost := func(err error) { s.log.Debug("watch neighbours", "err", err) }
	if err := netlink.NeighSubscribeWithOptions(events, ctx.Done(), netlink.NeighSubscribeOptions{ErrorCallback: lost}); err != nil {
		lost(err)
		return gone
	}
	go func() {
		for e := range events {
			address, _ := netip.AddrFromSlice(e.IP)
			vtep := address.Unmap() // zebra's own, for next hops over IPv6, are link-local
			if e.Type != unix.RTM_DELNEIGH || e.Family == unix.AF_BRIDGE || !vtep.Is4() || vtep.IsLinkLocalUnicast() {
				continue
			}
			select {
			case gone <- struct{}{}:
			default:
			}
		}
	}()
	return gone
}

// routesChanged has something for as long as routes changed that it was not asked about.
func (s *System) routesChanged(ctx context.Context) <-chan struct{} {
	wake := make(chan struct{}, 1)
	go func() {
		_ = s.WatchRoutes(ctx, func(uint32, netip.Prefix) {
			select {
			case wake <- struct{}{}:
			default:
			}
		})
	}()
	return wake
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// tunnelHop is a next hop of a VRF's route on the VRF's SVI. Address is as the route has it: IPv6 routes map IPv4.
type tunnelHop struct {
	svi     int
	address netip.Addr
}

// missingRouterMACs are the next hops on SVIs of ours that have no usable neighbour entry, each with a prefix that is reached by it.
func missingRouterMACs() (map[tunnelHop]netip.Prefix, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	svis := map[int]bool{}
	for _, l := range links {
		svis[l.Attrs().Index] = strings.HasPrefix(l.Attrs().Name, "Vlan")
	}
	hops := map[tunnelHop]netip.Prefix{}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := netlink.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC, Protocol: unix.RTPROT_BGP}, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_PROTOCOL)
		if err != nil {
			return nil, fmt.Errorf("list routes: %w", err)
		}
		for _, r := range routes {
			addHops(hops, svis, r)
		}
	}
	if len(hops) == 0 {
		return nil, nil
	}
	return hops, dropKnown(hops)
}

func addHops(hops map[tunnelHop]netip.Prefix, svis map[int]bool, r netlink.Route) {
	prefix, ok := destination(r)
	if !ok {
		return
	}
	add := func(index int, gateway net.IP) {
		address, ok := netip.AddrFromSlice(gateway)
		if !ok || !svis[index] {
			return
		}
		if r.Family == unix.AF_INET {
			address = address.Unmap()
		} else if address.Is4() {
			address = netip.AddrFrom16(address.As16())
		}
		if address.Unmap().Is4() {
			hops[tunnelHop{index, address}] = prefix
		}
	}
	add(r.LinkIndex, r.Gw)
	for _, hop := range r.MultiPath {
		add(hop.LinkIndex, hop.Gw)
	}
}

// destination is where a route leads; one without leads everywhere.
func destination(r netlink.Route) (netip.Prefix, bool) {
	if r.Dst == nil {
		if r.Family == unix.AF_INET6 {
			return netip.PrefixFrom(netip.IPv6Unspecified(), 0), true
		}
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0), true
	}
	address, ok := netip.AddrFromSlice(r.Dst.IP)
	if r.Family == unix.AF_INET {
		address = address.Unmap()
	}
	bits, _ := r.Dst.Mask.Size()
	return netip.PrefixFrom(address, bits), ok
}

// dropKnown takes away the next hops that have a neighbour entry which needs no resolution.
func dropKnown(hops map[tunnelHop]netip.Prefix) error {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		neighbours, err := netlink.NeighList(0, family)
		if err != nil {
			return fmt.Errorf("list neighbours: %w", err)
		}
		for _, n := range neighbours {
			address, ok := netip.AddrFromSlice(n.IP)
			if family == unix.AF_INET {
				address = address.Unmap()
			} else if address.Is4() {
				address = netip.AddrFrom16(address.As16())
			}
			if ok && n.State&resolved != 0 && len(n.HardwareAddr) == 6 {
				delete(hops, tunnelHop{n.LinkIndex, address})
			}
		}
	}
	return nil
}

// enterRouterMAC enters the neighbour and the forwarding entries of one next hop, as zebra would.
func (s *System) enterRouterMAC(ctx context.Context, r system.Routing, hop tunnelHop, prefix netip.Prefix) {
	mac, err := enterRouterMAC(ctx, r, hop, prefix)
	if err != nil {
		s.log.Warn("enter a router MAC that zebra has lost", "vtep", hop.address.Unmap(), "prefix", prefix, "err", err)
		return
	}
	s.log.Info("entered a router MAC that zebra had lost", "vtep", hop.address.Unmap(), "mac", mac.String())
}

func enterRouterMAC(ctx context.Context, r system.Routing, hop tunnelHop, prefix netip.Prefix) (net.HardwareAddr, error) {
	svi, err := netlink.LinkByIndex(hop.svi)
	if err != nil {
		return nil, fmt.Errorf("find SVI: %w", err)
	}
	vlan, ok := svi.(*netlink.Vlan)
	if !ok {
		return nil, fmt.Errorf("%s is no VLAN device", svi.Attrs().Name)
	}
	vxlan, err := tunnelOf(vlan.VlanId)
	if err != nil {
		return nil, err
	}
	vtep := hop.address.Unmap()
	macs, err := r.RouterMACs(ctx, netmodel.VNI(vxlan.VxlanId), prefix)
	if err != nil {
		return nil, err
	}
	mac, ok := macs[vtep]
	if !ok {
		return nil, errors.New("it announces none with this prefix")
	}
	bridge := &netlink.Neigh{
		LinkIndex: vxlan.Index, Family: unix.AF_BRIDGE, State: netlink.NUD_REACHABLE, Flags: netlink.NTF_MASTER | netlink.NTF_EXT_LEARNED, HardwareAddr: mac, Vlan: vlan.VlanId,
	}
	tunnel := &netlink.Neigh{
		LinkIndex: vxlan.Index, Family: unix.AF_BRIDGE, State: netlink.NUD_REACHABLE, Flags: netlink.NTF_SELF | netlink.NTF_EXT_LEARNED, HardwareAddr: mac, IP: vtep.AsSlice(),
	}
	var errs []error
	for _, n := range []*netlink.Neigh{bridge, tunnel} {
		errs = append(errs, netlink.NeighSet(n))
	}
	return mac, errors.Join(append(errs, setNeighbour(hop, mac))...)
}

// setNeighbour enters a next hop's neighbour. The library's way would turn ::ffff:10.0.0.1 into IPv4.
func setNeighbour(hop tunnelHop, mac []byte) error {
	family := uint8(unix.AF_INET)
	if hop.address.Is6() {
		family = unix.AF_INET6
	}
	req := nl.NewNetlinkRequest(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE|unix.NLM_F_ACK)
	req.AddData(&netlink.Ndmsg{Family: family, Index: uint32(hop.svi), State: netlink.NUD_NOARP, Flags: netlink.NTF_EXT_LEARNED})
	req.AddData(nl.NewRtAttr(netlink.NDA_DST, hop.address.AsSlice()))
	req.AddData(nl.NewRtAttr(netlink.NDA_LLADDR, mac))
	if _, err := req.Execute(unix.NETLINK_ROUTE, 0); err != nil {
		return fmt.Errorf("enter neighbour %s: %w", hop.address, err)
	}
	return nil
}

// tunnelOf finds the VXLAN device whose untagged VLAN is an SVI's.
func tunnelOf(vlan int) (*netlink.Vxlan, error) {
	members, err := netlink.BridgeVlanList()
	if err != nil {
		return nil, fmt.Errorf("list bridge VLANs: %w", err)
	}
	for index, vlans := range members {
		for _, v := range vlans {
			if int(v.Vid) != vlan || !v.PortVID() {
				continue
			}
			link, err := netlink.LinkByIndex(int(index))
			if vxlan, ok := link.(*netlink.Vxlan); err == nil && ok {
				return vxlan, nil
			}
		}
	}
	return nil, fmt.Errorf("no VXLAN device in VLAN %d", vlan)
}
