package host

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/pkg/speaker"
)

// RouteProtocol marks the routes that are ours (rtnetlink(7), rtm_protocol). The number is free in iproute2's rt_protos.
const RouteProtocol = 196

// addressLabel marks IPv4 addresses that are ours; the kernel wants a label to begin with the device's name. IPv6 addresses
// have no label: ours are told by their protocol.
const addressLabel = "lo:pointsman"

// kernelRoutes brings the main table in line with what is learned, touching only routes of our protocol.
func kernelRoutes(routes map[netip.Prefix][]speaker.NextHop, sources []netip.Prefix) error {
	links, err := linkIndexes()
	if err != nil {
		return err
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
			return fmt.Errorf("list routes: %w", err)
		}
		errs = append(errs, reconcileRoutes(family, have, want))
	}
	return errors.Join(errs...)
}

func reconcileRoutes(family int, have []netlink.Route, want map[netip.Prefix]*netlink.Route) error {
	var errs []error
	known := map[netip.Prefix]netlink.Route{}
	for _, r := range have {
		prefix := destination(r, family)
		if _, ok := want[prefix]; !ok {
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
	return errors.Join(errs...)
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
		Protocol: RouteProtocol, Table: unix.RT_TABLE_MAIN, Family: unix.AF_INET,
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

// kernelAddresses brings the loopback interface in line with wanted; owned are those that we put there before.
func kernelAddresses(wanted, owned []netip.Prefix) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find loopback interface: %w", err)
	}
	have, err := loopbackAddresses(lo)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range wanted {
		if have[p] {
			continue
		}
		if err := netlink.AddrAdd(lo, newAddress(p)); err != nil && !errors.Is(err, unix.EEXIST) {
			errs = append(errs, fmt.Errorf("add address %s: %w", p, err))
		}
	}
	for _, p := range owned {
		if slices.Contains(wanted, p) || !have[p] {
			continue
		}
		if err := netlink.AddrDel(lo, &netlink.Addr{IPNet: ipNet(p)}); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			errs = append(errs, fmt.Errorf("remove address %s: %w", p, err))
		}
	}
	return errors.Join(errs...)
}

func newAddress(p netip.Prefix) *netlink.Addr {
	a := &netlink.Addr{IPNet: ipNet(p)}
	if p.Addr().Is4() {
		a.Label = addressLabel
	} else {
		a.Flags = unix.IFA_F_NODAD // nobody else is on the loopback interface
	}
	return a
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func loopbackAddresses(lo netlink.Link) (map[netip.Prefix]bool, error) {
	list, err := netlink.AddrList(lo, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	out := map[netip.Prefix]bool{}
	for _, a := range list {
		addr, _ := netip.AddrFromSlice(a.IP)
		ones, _ := a.Mask.Size()
		out[netip.PrefixFrom(addr.Unmap(), ones)] = true
	}
	return out, nil
}

// prepareUplink makes an interface fit for unnumbered BGP: no duplicate address detection, which costs more than a second (one
// machine is on the cable), no default route from the router's advertisements, and the MTU of the fabric.
func prepareUplink(name string, mtu int) error {
	var errs []error
	for sysctl, value := range map[string]string{"accept_dad": "0", "accept_ra": "0"} {
		path := filepath.Join("/proc/sys/net/ipv6/conf", name, sysctl)
		if err := writeSysctl(path, value); err != nil {
			errs = append(errs, fmt.Errorf("set %s of %s: %w", sysctl, name, err))
		}
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return errors.Join(append(errs, fmt.Errorf("find uplink %s: %w", name, err))...)
	}
	if mtu != 0 && link.Attrs().MTU != mtu {
		if err := netlink.LinkSetMTU(link, mtu); err != nil {
			errs = append(errs, fmt.Errorf("set MTU %d of %s: %w", mtu, name, err))
		}
	}
	if link.Attrs().RawFlags&unix.IFF_UP == 0 {
		if err := netlink.LinkSetUp(link); err != nil {
			errs = append(errs, fmt.Errorf("set %s up: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func writeSysctl(path, value string) error {
	have, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if string(have) == value+"\n" {
		return nil
	}
	return os.WriteFile(path, []byte(value), 0)
}

// hashPorts makes ECMP choose by ports too, so that several flows between two machines use both leaves.
func hashPorts() error {
	var errs []error
	for _, path := range []string{"/proc/sys/net/ipv4/fib_multipath_hash_policy", "/proc/sys/net/ipv6/fib_multipath_hash_policy"} {
		if err := writeSysctl(path, "1"); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	for _, path := range []string{"/proc/sys/net/ipv4/conf/all/ignore_routes_with_linkdown", "/proc/sys/net/ipv6/conf/all/ignore_routes_with_linkdown"} {
		if err := writeSysctl(path, "1"); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// resolve finds an uplink's interface: by MAC if it has one, else by name.
func resolve(u Uplink) (string, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return "", fmt.Errorf("list links: %w", err)
	}
	for _, l := range links {
		mac, err := net.ParseMAC(u.MAC)
		if err == nil && l.Attrs().HardwareAddr.String() == mac.String() {
			return l.Attrs().Name, nil
		}
	}
	for _, l := range links {
		if u.Name != "" && l.Attrs().Name == u.Name {
			return u.Name, nil
		}
	}
	return "", fmt.Errorf("no interface for uplink %s", cmp.Or(u.MAC, u.Name))
}
