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

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// A next hop of a type 5 route is a VTEP's address on the VRF's SVI, for which zebra enters a neighbour with the VTEP's router MAC
// and a forwarding entry of the VXLAN device. zebra 8.4.4 loses both when bgpd deletes and adds a route in one burst: it enters
// the new route's first and removes the old one's after. The route then stands, and its packets go nowhere.
const (
	// routerMACGrace is how long zebra has to enter them itself.
	routerMACGrace = 400 * time.Millisecond
	// routerMACPass catches what events missed.
	routerMACPass = 5 * time.Second
)

// KeepRouterMACs enters what zebra has lost until ctx ends. The router MAC follows from the VTEP's address, as all of our leaves
// derive theirs (plan.RouterMAC).
func (s *System) KeepRouterMACs(ctx context.Context) {
	wake := make(chan struct{}, 1)
	go func() {
		_ = s.WatchRoutes(ctx, func(uint32, netip.Prefix) {
			select {
			case wake <- struct{}{}:
			default:
			}
		})
	}()
	var before map[tunnelHop]bool
	for {
		missing, err := missingRouterMACs()
		if err != nil {
			s.log.Warn("read next hops of VRFs", "err", err)
		}
		for hop := range missing {
			if before[hop] {
				s.enterRouterMAC(hop)
			}
		}
		before = missing
		wait := routerMACPass
		if len(missing) > 0 {
			wait = routerMACGrace
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		case <-wake:
			if !pause(ctx, routerMACGrace) {
				return
			}
		}
	}
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

// missingRouterMACs are the next hops on SVIs of ours that have no usable neighbour entry.
func missingRouterMACs() (map[tunnelHop]bool, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	svis := map[int]bool{}
	for _, l := range links {
		svis[l.Attrs().Index] = strings.HasPrefix(l.Attrs().Name, "Vlan")
	}
	hops := map[tunnelHop]bool{}
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

func addHops(hops map[tunnelHop]bool, svis map[int]bool, r netlink.Route) {
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
			hops[tunnelHop{index, address}] = true
		}
	}
	add(r.LinkIndex, r.Gw)
	for _, hop := range r.MultiPath {
		add(hop.LinkIndex, hop.Gw)
	}
}

// dropKnown takes away the next hops that have a neighbour entry which needs no resolution.
func dropKnown(hops map[tunnelHop]bool) error {
	const resolved = unix.NUD_NOARP | unix.NUD_PERMANENT
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
func (s *System) enterRouterMAC(hop tunnelHop) {
	if err := enterRouterMAC(hop); err != nil {
		s.log.Warn("enter a router MAC that zebra has lost", "vtep", hop.address.Unmap(), "err", err)
		return
	}
	s.log.Info("entered a router MAC that zebra had lost", "vtep", hop.address.Unmap(), "mac", plan.RouterMAC(hop.address.Unmap()))
}

func enterRouterMAC(hop tunnelHop) error {
	svi, err := netlink.LinkByIndex(hop.svi)
	if err != nil {
		return fmt.Errorf("find SVI: %w", err)
	}
	vlan, ok := svi.(*netlink.Vlan)
	if !ok {
		return fmt.Errorf("%s is no VLAN device", svi.Attrs().Name)
	}
	vxlan, err := tunnelOf(vlan.VlanId)
	if err != nil {
		return err
	}
	vtep, mac := hop.address.Unmap(), plan.RouterMAC(hop.address.Unmap())
	bridge := &netlink.Neigh{
		LinkIndex: vxlan, Family: unix.AF_BRIDGE, State: netlink.NUD_REACHABLE, Flags: netlink.NTF_MASTER | netlink.NTF_EXT_LEARNED, HardwareAddr: mac[:], Vlan: vlan.VlanId,
	}
	tunnel := &netlink.Neigh{
		LinkIndex: vxlan, Family: unix.AF_BRIDGE, State: netlink.NUD_REACHABLE, Flags: netlink.NTF_SELF | netlink.NTF_EXT_LEARNED, HardwareAddr: mac[:], IP: vtep.AsSlice(),
	}
	var errs []error
	for _, n := range []*netlink.Neigh{bridge, tunnel} {
		errs = append(errs, netlink.NeighSet(n))
	}
	return errors.Join(append(errs, setNeighbour(hop, mac[:]))...)
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
func tunnelOf(vlan int) (int, error) {
	members, err := netlink.BridgeVlanList()
	if err != nil {
		return 0, fmt.Errorf("list bridge VLANs: %w", err)
	}
	for index, vlans := range members {
		for _, v := range vlans {
			if int(v.Vid) != vlan || !v.PortVID() {
				continue
			}
			link, err := netlink.LinkByIndex(int(index))
			if err == nil && link.Type() == "vxlan" {
				return int(index), nil
			}
		}
	}
	return 0, fmt.Errorf("no VXLAN device in VLAN %d", vlan)
}
