package linux

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// kernelRoute is a route of the kernel's tables.
type kernelRoute struct {
	family   uint8
	kind     uint8 // RTN_UNICAST, …
	protocol uint8
	table    uint32
	metric   uint32
	prefix   netip.Prefix
	hops     []nextHop
}

// nextHop is a gateway of a route.
type nextHop struct {
	device  int
	address netip.Addr // as the route has it: IPv6 routes over IPv4 tunnels have gateways like ::ffff:10.0.0.1
	onLink  bool       // FRR's word for a VTEP: nobody is asked whether it is there
}

func (r kernelRoute) isUnreachableDefault() bool {
	return r.kind == unix.RTN_UNREACHABLE && r.prefix.Bits() == 0 && r.metric == plan.UnreachableMetric
}

// parseRoute reads the body of an RTM_NEWROUTE or RTM_DELROUTE message.
func parseRoute(m []byte) (kernelRoute, error) {
	if len(m) < unix.SizeofRtMsg {
		return kernelRoute{}, fmt.Errorf("route message of %d bytes is too short", len(m))
	}
	msg := nl.DeserializeRtMsg(m)
	a, err := parseAttributes(m[unix.SizeofRtMsg:])
	if err != nil {
		return kernelRoute{}, err
	}
	r := kernelRoute{family: msg.Family, kind: msg.Type, protocol: msg.Protocol, table: uint32(msg.Table), metric: a.uint32(unix.RTA_PRIORITY)}
	if table := a.uint32(unix.RTA_TABLE); table != 0 {
		r.table = table
	}
	dst := netip.IPv4Unspecified()
	if msg.Family == unix.AF_INET6 {
		dst = netip.IPv6Unspecified()
	}
	if addr, ok := netip.AddrFromSlice(a[unix.RTA_DST]); ok {
		dst = addr
	}
	r.prefix = netip.PrefixFrom(dst, int(msg.Dst_len))
	r.hops = nextHops(a, msg.Flags)
	return r, nil
}

// nextHops returns the gateways of a route, of all its paths.
func nextHops(a attributes, flags uint32) []nextHop {
	var hops []nextHop
	add := func(a attributes, device int, flags uint32) {
		raw := a[unix.RTA_GATEWAY]
		if via := a[unix.RTA_VIA]; len(via) > 2 {
			raw = via[2:] // struct rtvia: the address family, then the address
		}
		if addr, ok := netip.AddrFromSlice(raw); ok {
			hops = append(hops, nextHop{device, addr, flags&unix.RTNH_F_ONLINK != 0})
		}
	}
	add(a, int(a.uint32(unix.RTA_OIF)), flags)
	for paths := a[unix.RTA_MULTIPATH]; len(paths) >= unix.SizeofRtNexthop; {
		length := int(nl.NativeEndian().Uint16(paths))
		if length < unix.SizeofRtNexthop || length > len(paths) {
			break
		}
		// struct rtnexthop: two bytes of length, flags, weight, four bytes of the device's index
		if inner, err := parseAttributes(paths[unix.SizeofRtNexthop:length]); err == nil {
			add(inner, int(nl.NativeEndian().Uint32(paths[4:])), uint32(paths[2]))
		}
		paths = paths[min((length+3)&^3, len(paths)):]
	}
	return hops
}

// RouteNextHops implements system.Routes.
func (s *System) RouteNextHops(_ context.Context, vrf string, prefix netip.Prefix) ([]netip.Addr, error) {
	hops, err := s.nextHopsOf(vrf, prefix)
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, hop := range hops {
		if vrf != "" && hop.onLink {
			known, err := s.knowsNeighbour(hop)
			if err != nil {
				return nil, err
			}
			if !known {
				continue
			}
		}
		out = append(out, hop.address.Unmap())
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out), nil
}

// knowsNeighbour reports whether packets to a next hop have a MAC address to go to, without anybody being asked.
func (s *System) knowsNeighbour(hop nextHop) (bool, error) {
	m, err := s.route.get(unix.RTM_GETNEIGH, unix.RTM_NEWNEIGH,
		&netlink.Ndmsg{Family: uint8(family(hop.address)), Index: uint32(hop.device)}, nl.NewRtAttr(netlink.NDA_DST, hop.address.AsSlice()))
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up neighbour %s: %w", hop.address, err)
	}
	n, err := netlink.NeighDeserialize(m)
	if err != nil {
		return false, fmt.Errorf("look up neighbour %s: %w", hop.address, err)
	}
	return n.State&resolved != 0 && len(n.HardwareAddr) == 6, nil
}

// resolved are the states of a neighbour entry that needs no resolution.
const resolved = unix.NUD_NOARP | unix.NUD_PERMANENT

// nextHopsOf asks the kernel for the route that it would use for the prefix's first address, and lists the table only where the answer
// says nothing of this prefix.
func (s *System) nextHopsOf(vrf string, prefix netip.Prefix) ([]nextHop, error) {
	table, oif := uint32(unix.RT_TABLE_MAIN), 0
	if vrf != "" {
		l, err := s.route.device(vrf)
		if errors.Is(err, unix.ENODEV) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		table, oif = l.data.uint32(nl.IFLA_VRF_TABLE), l.index
	}
	r, ok, err := s.lookUp(prefix, oif)
	switch {
	case err != nil || !ok:
		return nil, err
	case r.table == table && r.prefix == prefix.Masked():
		return r.hops, nil
	case r.prefix.Bits() > prefix.Bits() || r.family == unix.AF_INET6:
		// A longer route hides this one. Of IPv6 routes that share a next hop the kernel caches one destination per next hop, with the
		// route that was asked for first, and names that one for all (rt6_get_pcpu_route, since next hops are objects: Linux 5.3).
		return s.search(table, prefix)
	}
	return nil, nil
}

// lookUp returns the route that the kernel uses for an address.
func (s *System) lookUp(prefix netip.Prefix, oif int) (kernelRoute, bool, error) {
	addr := prefix.Masked().Addr()
	flags := uint32(unix.RTM_F_FIB_MATCH)
	if addr.Is4() {
		flags |= unix.RTM_F_LOOKUP_TABLE // without it, IPv4 says main whatever the table; IPv6 tells the table, and refuses the flag
	}
	parts := []nl.NetlinkRequestData{
		&nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family(addr)), Dst_len: uint8(addr.BitLen()), Flags: flags}},
		nl.NewRtAttr(unix.RTA_DST, addr.AsSlice()),
	}
	if oif != 0 {
		parts = append(parts, nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(oif))))
	}
	m, err := s.route.get(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, parts...)
	if errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.ENETUNREACH) {
		return kernelRoute{}, false, nil
	}
	if err != nil {
		return kernelRoute{}, false, fmt.Errorf("look up route to %s: %w", addr, err)
	}
	r, err := parseRoute(m)
	return r, err == nil && r.kind == unix.RTN_UNICAST, err
}

// search lists a table for one prefix.
func (s *System) search(table uint32, prefix netip.Prefix) ([]nextHop, error) {
	messages, err := s.route.dump(unix.RTM_GETROUTE, unix.RTM_NEWROUTE,
		&nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family(prefix.Addr()))}}, nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(table)))
	if errors.Is(err, unix.ENOENT) { // IPv4 says so of a table that nobody has written to
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list routes of table %d: %w", table, err)
	}
	for _, m := range messages {
		r, err := parseRoute(m)
		if err != nil {
			return nil, fmt.Errorf("list routes of table %d: %w", table, err)
		}
		if r.table == table && r.prefix == prefix.Masked() && r.kind == unix.RTN_UNICAST {
			return r.hops, nil
		}
	}
	return nil, nil
}
