package speaker

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

func hop(address, link string) NextHop { return NextHop{netip.MustParseAddr(address), link} }

// TestECMP: the shortest AS paths win, whatever ASNs they hold, each next hop once and in one order.
func TestECMP(t *testing.T) {
	any4 := netip.MustParsePrefix("0.0.0.0/0")
	a, b, c := hop("fe80::1", "lan0"), hop("fe80::2", "lan1"), hop("fe80::3", "lan1")
	for name, test := range map[string]struct {
		ways []way
		want []NextHop
	}{
		"one":              {[]way{{a, 1}}, []NextHop{a}},
		"two, sorted":      {[]way{{b, 2}, {a, 2}}, []NextHop{a, b}},
		"same link":        {[]way{{c, 1}, {b, 1}}, []NextHop{b, c}},
		"longer left out":  {[]way{{a, 3}, {b, 2}}, []NextHop{b}},
		"longer first":     {[]way{{a, 1}, {b, 2}, {c, 1}}, []NextHop{a, c}},
		"twice":            {[]way{{a, 1}, {a, 1}}, []NextHop{a}},
		"empty path, ours": {[]way{{a, 0}, {b, 1}}, []NextHop{a}},
	} {
		t.Run(name, func(t *testing.T) {
			have := rib{any4: test.ways}.ecmp()
			want := map[netip.Prefix][]NextHop{any4: test.want}
			if diff := cmp.Diff(want, have, cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})); diff != "" {
				t.Error("-want +have:\n", diff)
			}
		})
	}
}

func TestASPath(t *testing.T) {
	attrs := []bgp.PathAttributeInterface{
		bgp.NewPathAttributeOrigin(0),
		bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{
			bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, []uint32{4200000001, 4200000100}),
			bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SET, []uint32{1, 2, 3}),
		}),
	}
	asns, length := asPath(attrs)
	if want := []uint32{4200000001, 4200000100, 1, 2, 3}; !slices.Equal(asns, want) || length != 3 {
		t.Errorf("ASNs %d and length %d, want %d and 3: a set counts as one", asns, length, want)
	}
	if asns, length := asPath(attrs[:1]); len(asns) != 0 || length != 0 {
		t.Errorf("without an AS path: %d, %d", asns, length)
	}
}

// TestIntervals: fast while somebody may be about to answer, slow when nobody does, steady once all is well.
func TestIntervals(t *testing.T) {
	for _, test := range []struct {
		have, want time.Duration
		what       string
	}{
		{solicitAfter(0), solicitFast, "first solicitations"},
		{solicitAfter(time.Minute), solicitSlow, "unanswered solicitations"},
		{advertiseAfter(false, 0), advertiseFast, "no session yet"},
		{advertiseAfter(false, time.Minute), advertiseSlow, "no session for long"},
		{advertiseAfter(true, 0), advertiseSteady, "a session"},
		{advertiseAfter(true, time.Hour), advertiseSteady, "an old session"},
	} {
		if test.have != test.want {
			t.Errorf("%s: %v, want %v", test.what, test.have, test.want)
		}
	}
}

// TestPeers: a router is news once, another is news, none is news only after one.
func TestPeers(t *testing.T) {
	p := newPeers()
	one, two := netip.MustParseAddr("fe80::1%lan0"), netip.MustParseAddr("fe80::2%lan0")
	for i, step := range []struct {
		router netip.Addr
		news   bool
	}{{netip.Addr{}, false}, {one, true}, {one, false}, {two, true}, {netip.Addr{}, true}, {netip.Addr{}, false}} {
		if news := p.set("lan0", step.router); news != step.news {
			t.Errorf("step %d, router %v: news %t", i, step.router, news)
		}
		if have := p.on("lan0"); have != step.router.WithZone("") {
			t.Errorf("step %d: router %v, want %v", i, have, step.router)
		}
	}
}
