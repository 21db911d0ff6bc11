package linux

import (
	"net/netip"
	"slices"
	"testing"
)

// Next hops as FRR installs them for EVPN type 5 routes: over the SVI, on-link, IPv4 tunnels for IPv6 prefixes too.
func TestRouteNextHops(t *testing.T) {
	l := newLeaf(t)
	l.converge(leafIntent(tenantPort("swp1", 104001, 1)))
	l.IP("link set vni104001 up")
	for _, r := range []string{
		"route add 10.0.0.1/32 table 1001 nexthop via 10.255.0.21 dev Vlan1000 onlink nexthop via 10.255.0.22 dev Vlan1000 onlink",
		"route add 10.0.0.2/32 table 1001 via 10.255.0.23 dev Vlan1000 onlink",
		"route add 10.0.0.3/32 table 1001 via inet6 fe80::1 dev swp1",
		"route add 10.1.0.0/24 table 1001 via 10.255.0.24 dev Vlan1000 onlink",
		"route add 10.1.0.0/32 table 1001 via 10.255.0.25 dev Vlan1000 onlink",
		"-6 route add fd00::1/128 table 1001 nexthop via ::ffff:10.255.0.21 dev Vlan1000 onlink nexthop via ::ffff:10.255.0.22 dev Vlan1000 onlink",
		"route add 10.0.0.4/32 table 1001 nexthop via 10.255.0.26 dev Vlan1000 onlink nexthop via 10.255.0.22 dev Vlan1000 onlink",
		"route add 10.0.0.5/32 table 1001 via 10.255.0.26 dev Vlan1000 onlink",
		"-6 route add fd00::4/128 table 1001 nexthop via ::ffff:10.255.0.21 dev Vlan1000 onlink nexthop via ::ffff:10.255.0.26 dev Vlan1000 onlink",
		"nexthop add id 7 via 10.255.0.27 dev Vlan1000 onlink",
		"nexthop add id 8 via 10.255.0.28 dev Vlan1000 onlink",
		"nexthop add id 9 group 7/8",
		"route add 10.0.0.7/32 table 1001 nhid 9",
		"route add 10.0.0.9/32 via 10.0.0.99 dev lo onlink",
		"nexthop add id 17 via ::ffff:10.255.0.27 dev Vlan1000 onlink",
		"nexthop add id 18 via ::ffff:10.255.0.28 dev Vlan1000 onlink",
		"nexthop add id 19 group 17/18",
		"-6 route add fd00::7/128 table 1001 nhid 19",
		"-6 route add fd00::8/128 table 1001 nhid 19",
		"-6 route add fd00::9/128 table 1001 nhid 19",
	} {
		l.IP("%s", r)
	}
	for _, address := range []string{"21", "22", "23", "24", "25", "27", "28"} {
		l.IP("neigh add 10.255.0.%s dev Vlan1000 lladdr 02:50:0a:ff:00:%s nud noarp extern_learn", address, address)
		l.IP("-6 neigh add ::ffff:10.255.0.%s dev Vlan1000 lladdr 02:50:0a:ff:00:%s nud noarp extern_learn", address, address)
	}
	for _, tt := range []struct {
		vrf, prefix string
		want        []string
	}{
		{"Vrf104001", "10.0.0.1/32", []string{"10.255.0.21", "10.255.0.22"}},
		{"Vrf104001", "10.0.0.2/32", []string{"10.255.0.23"}},
		{"Vrf104001", "10.0.0.3/32", []string{"fe80::1"}},
		// A VTEP whose router MAC is missing.
		{"Vrf104001", "10.0.0.4/32", []string{"10.255.0.22"}},
		{"Vrf104001", "10.0.0.5/32", nil},
		{"Vrf104001", "fd00::4/128", []string{"10.255.0.21"}},
		{"Vrf104001", "10.0.0.7/32", []string{"10.255.0.27", "10.255.0.28"}},
		{"Vrf104001", "10.1.0.0/24", []string{"10.255.0.24"}},
		{"Vrf104001", "10.1.0.0/32", []string{"10.255.0.25"}},
		{"Vrf104001", "10.1.0.1/32", nil},
		{"Vrf104001", "10.2.0.0/24", nil},
		{"Vrf104001", "fd00::1/128", []string{"10.255.0.21", "10.255.0.22"}},
		{"Vrf104001", "fd00::2/128", nil},
		// Routes over one group of next hops: the kernel may name one for the other.
		{"Vrf104001", "fd00::7/128", []string{"10.255.0.27", "10.255.0.28"}},
		{"Vrf104001", "fd00::8/128", []string{"10.255.0.27", "10.255.0.28"}},
		{"Vrf104001", "fd00::9/128", []string{"10.255.0.27", "10.255.0.28"}},
		{"Vrf104001", "fd00::7/128", []string{"10.255.0.27", "10.255.0.28"}},
		{"Vrf104001", "10.0.0.9/32", nil},
		{"Vrf999", "10.0.0.1/32", nil},
		{"provision", "10.0.0.1/32", nil},
		{"", "10.0.0.1/32", nil},
		{"", "10.0.0.9/32", []string{"10.0.0.99"}},
	} {
		hops, err := l.RouteNextHops(t.Context(), tt.vrf, netip.MustParsePrefix(tt.prefix))
		if err != nil {
			t.Errorf("%s in %q: %v", tt.prefix, tt.vrf, err)
		}
		var got []string
		for _, h := range hops {
			got = append(got, h.String())
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s in %q: next hops %v, want %v", tt.prefix, tt.vrf, got, tt.want)
		}
	}
}
