package host

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/pkg/speaker"
)

var (
	links   = map[string]int{"lan0": 2, "lan1": 3}
	hop0    = speaker.NextHop{Gateway: netip.MustParseAddr("fe80::1"), Interface: "lan0"}
	hop1    = speaker.NextHop{Gateway: netip.MustParseAddr("fe80::2"), Interface: "lan1"}
	missing = speaker.NextHop{Gateway: netip.MustParseAddr("fe80::3"), Interface: "lan9"}
	any4    = netip.MustParsePrefix("0.0.0.0/0")
	any6    = netip.MustParsePrefix("::/0")
	four    = netip.MustParseAddr("10.1.0.5")
)

// TestNewRoute: IPv4 goes by an IPv6 next hop (RFC 8950), IPv6 by a gateway; a next hop whose interface is gone is left out.
func TestNewRoute(t *testing.T) {
	r := newRoute(any4, []speaker.NextHop{hop0, missing, hop1}, links, four)
	if r.Protocol != RouteProtocol || r.Priority != RouteMetric || !r.Src.Equal(net.ParseIP("10.1.0.5")) || len(r.MultiPath) != 2 {
		t.Fatalf("%+v", r)
	}
	via, ok := r.MultiPath[1].Via.(*netlink.Via)
	if !ok || via.AddrFamily != unix.AF_INET6 || !via.Addr.Equal(net.ParseIP("fe80::2")) || r.MultiPath[1].LinkIndex != 3 || r.MultiPath[1].Gw != nil {
		t.Errorf("second next hop %+v", r.MultiPath[1])
	}
	six := newRoute(any6, []speaker.NextHop{hop0}, links, netip.Addr{})
	if six.Family != unix.AF_INET6 || six.Src != nil || six.MultiPath[0].Via != nil || !six.MultiPath[0].Gw.Equal(net.ParseIP("fe80::1")) {
		t.Errorf("%+v", six)
	}
	if r := newRoute(any4, []speaker.NextHop{missing}, links, four); r != nil {
		t.Errorf("a route without a next hop: %+v", r)
	}
}

// TestSameRoute: the kernel's forms of one route are one route, and each difference that matters is one.
func TestSameRoute(t *testing.T) {
	ours := func(hops ...speaker.NextHop) netlink.Route { return *newRoute(any4, hops, links, four) }
	single := ours(hop0)
	flat := single
	flat.MultiPath, flat.LinkIndex, flat.Via = nil, 2, single.MultiPath[0].Via
	moved := *newRoute(any4, []speaker.NextHop{hop0}, map[string]int{"lan0": 7}, four)
	for name, test := range map[string]struct {
		a, b netlink.Route
		same bool
	}{
		"itself":                  {ours(hop0, hop1), ours(hop0, hop1), true},
		"another order":           {ours(hop0, hop1), ours(hop1, hop0), true},
		"one next hop, flattened": {single, flat, true},
		"one next hop more":       {ours(hop0), ours(hop0, hop1), false},
		"another next hop":        {ours(hop0), ours(hop1), false},
		"another interface":       {single, moved, false},
		"another source":          {single, *newRoute(any4, []speaker.NextHop{hop0}, links, netip.MustParseAddr("10.1.0.6")), false},
	} {
		if have := sameRoute(test.a, test.b); have != test.same {
			t.Errorf("%s: %t", name, have)
		}
	}
}

func TestSource(t *testing.T) {
	ours := []netip.Prefix{netip.MustParsePrefix("fd00::5/128"), netip.MustParsePrefix("10.1.0.5/32"), netip.MustParsePrefix("10.1.0.6/32")}
	if a := source(any4, ours); a != four {
		t.Errorf("IPv4: %v", a)
	}
	if a := source(any6, ours); a != netip.MustParseAddr("fd00::5") {
		t.Errorf("IPv6: %v", a)
	}
	if a := source(any4, ours[:1]); a.IsValid() {
		t.Errorf("IPv4 without an IPv4 address: %v", a)
	}
}

func TestResolve(t *testing.T) {
	link := func(name, mac string) netlink.Link {
		hardware, err := net.ParseMAC(mac)
		if err != nil {
			t.Fatal(err)
		}
		return &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: name, HardwareAddr: hardware}}
	}
	here := []netlink.Link{link("lan0", "02:00:5e:10:00:01"), link("lan1", "02:00:5e:10:00:02")}
	for name, test := range map[string]struct {
		uplink Uplink
		want   string
	}{
		"by MAC":                {Uplink{MAC: "02:00:5E:10:00:02"}, "lan1"},
		"by name":               {Uplink{Name: "lan0"}, "lan0"},
		"the MAC wins":          {Uplink{Name: "lan0", MAC: "02:00:5e:10:00:02"}, "lan1"},
		"MAC away, name there":  {Uplink{Name: "lan0", MAC: "02:00:5e:10:00:09"}, "lan0"},
		"neither":               {Uplink{Name: "lan7", MAC: "02:00:5e:10:00:09"}, ""},
		"no MAC is no loopback": {Uplink{}, ""},
	} {
		if have, ok := resolve(test.uplink, here); have != test.want || ok != (test.want != "") {
			t.Errorf("%s: %q, %t", name, have, ok)
		}
	}
}
