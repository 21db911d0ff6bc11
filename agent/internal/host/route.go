package host

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/pkg/speaker"
)

// RouteProtocol marks the routes that are ours (rtnetlink(7), rtm_protocol). The number is none of those that iproute2 and FRR name (196 is FRR's static).
const RouteProtocol = 202

// RouteMetric is FRR's for eBGP. A route of somebody else's with another metric, such as a default by DHCP, stands beside ours
// instead of being replaced.
const RouteMetric = 20

// kernelRoutes brings the main table in line with what is learned, touching only routes of our protocol. With keep, those that nobody
// announces stay; it says how many they are.
func kernelRoutes(routes map[netip.Prefix][]speaker.NextHop, sources []netip.Prefix, keep bool) (left int, err error) {
	links, err := linkIndexes()
	if err != nil {
		return 0, err
	}
	want := map[netip.Prefix]*netlink.Route{}
	for prefix, hops := range routes {
		if r := newRoute(prefix, hops, links, source(prefix, sources)); r != nil {
			want[prefix] = r
		}
	}
	var errs []error
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		have, err := netlink.RouteListFiltered(family, &netlink.Route{Protocol: RouteProtocol, Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
		if err != nil {
			return 0, fmt.Errorf("list routes: %w", err)
		}
		n, err := reconcileRoutes(family, have, want, keep)
		left += n
		errs = append(errs, err)
	}
	return left, errors.Join(errs...)
}

func reconcileRoutes(family int, have []netlink.Route, want map[netip.Prefix]*netlink.Route, keep bool) (left int, err error) {
	var errs []error
	known := map[netip.Prefix]netlink.Route{}
	for _, r := range have {
		prefix := destination(r, family)
		if _, ok := want[prefix]; !ok || r.Priority != RouteMetric {
			if keep && r.Priority == RouteMetric {
				left++
				continue
			}
			if err := netlink.RouteDel(&r); err != nil && !errors.Is(err, unix.ESRCH) {
				errs = append(errs, fmt.Errorf("delete route %s: %w", prefix, err))
			}
			continue
		}
		known[prefix] = r
	}
	for _, prefix := range slices.SortedFunc(maps.Keys(want), netip.Prefix.Compare) {
		if prefix.Addr().Is6() != (family == unix.AF_INET6) {
			continue
		}
		if r, ok := known[prefix]; ok && sameRoute(r, *want[prefix]) {
			continue
		}
		if err := netlink.RouteReplace(want[prefix]); err != nil {
			errs = append(errs, fmt.Errorf("install route %s: %w", prefix, err))
		}
	}
	return left, errors.Join(errs...)
}

func destination(r netlink.Route, family int) netip.Prefix {
	if r.Dst == nil {
		if family == unix.AF_INET6 {
			return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	a, _ := netip.AddrFromSlice(r.Dst.IP)
	ones, _ := r.Dst.Mask.Size()
	if family == unix.AF_INET {
		a = a.Unmap()
	}
	return netip.PrefixFrom(a, ones)
}

// newRoute is nil if none of the next hops' interfaces is there.
func newRoute(prefix netip.Prefix, hops []speaker.NextHop, links map[string]int, source netip.Addr) *netlink.Route {
	r := &netlink.Route{
		Dst:      &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())},
		Protocol: RouteProtocol, Table: unix.RT_TABLE_MAIN, Family: unix.AF_INET, Priority: RouteMetric,
	}
	if prefix.Addr().Is6() {
		r.Family = unix.AF_INET6
	}
	if source.IsValid() {
		r.Src = source.AsSlice()
	}
	for _, h := range hops {
		index, ok := links[h.Interface]
		if !ok {
			continue
		}
		hop := &netlink.NexthopInfo{LinkIndex: index}
		if prefix.Addr().Is4() {
			hop.Via = &netlink.Via{AddrFamily: unix.AF_INET6, Addr: h.Gateway.AsSlice()}
		} else {
			hop.Gw = h.Gateway.AsSlice()
		}
		r.MultiPath = append(r.MultiPath, hop)
	}
	if len(r.MultiPath) == 0 {
		return nil
	}
	return r
}

// ways are a route's next hops as text, sorted: the kernel gives a single one in another form than several.
func ways(r netlink.Route) []string {
	hops := r.MultiPath
	if len(hops) == 0 {
		hops = []*netlink.NexthopInfo{{LinkIndex: r.LinkIndex, Gw: r.Gw, Via: r.Via}}
	}
	var out []string
	for _, h := range hops {
		gateway := h.Gw
		if via, ok := h.Via.(*netlink.Via); ok && via != nil {
			gateway = via.Addr
		}
		out = append(out, fmt.Sprintf("%d %s", h.LinkIndex, gateway))
	}
	slices.Sort(out)
	return out
}

func sameRoute(a, b netlink.Route) bool { return slices.Equal(ways(a), ways(b)) && a.Src.Equal(b.Src) }

// source is the first of our addresses of a destination's family: packets carry the machine's address, not an uplink's.
func source(prefix netip.Prefix, sources []netip.Prefix) netip.Addr {
	for _, s := range sources {
		if s.Addr().Is4() == prefix.Addr().Is4() {
			return s.Addr()
		}
	}
	return netip.Addr{}
}

func linkIndexes() (map[string]int, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	out := map[string]int{}
	for _, l := range links {
		out[l.Attrs().Name] = l.Attrs().Index
	}
	return out, nil
}
