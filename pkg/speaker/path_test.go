package speaker

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

// TestAttributes: what a route is announced with, and which routes cannot be.
func TestAttributes(t *testing.T) {
	four, six := netip.MustParsePrefix("10.1.0.5/32"), netip.MustParsePrefix("fd00::5/128")
	for name, test := range map[string]struct {
		route Route
		want  string // the attributes behind origin and next hop
		err   string
	}{
		"plain IPv4":       {route: Route{Prefix: four}},
		"plain IPv6":       {route: Route{Prefix: six}},
		"AS path":          {route: Route{Prefix: four, ASPath: []uint32{64513, 4200000001}}, want: "{AsPath: 64513 4200000001}"},
		"communities":      {route: Route{Prefix: four, Communities: []string{"64512:1", "65535:65281"}}, want: "{Communities: 64512:1, no-export}"},
		"route target":     {route: Route{Prefix: four, ExtendedCommunities: []string{"rt:64512:100001"}}, want: "{Extcomms: [64512:100001]}"},
		"large community":  {route: Route{Prefix: four, LargeCommunities: []string{"4200000001:1:2"}}, want: "{LargeCommunity: [ 4200000001:1:2]}"},
		"no prefix":        {err: "prefix: invalid Prefix"},
		"host bits":        {route: Route{Prefix: netip.MustParsePrefix("10.1.0.5/24")}, err: "prefix: 10.1.0.5/24"},
		"community":        {route: Route{Prefix: four, Communities: []string{"64512"}}, err: `communities: "64512"`},
		"community bounds": {route: Route{Prefix: four, Communities: []string{"65536:1"}}, err: `communities: "65536:1"`},
		"not a target":     {route: Route{Prefix: four, ExtendedCommunities: []string{"64512:1"}}, err: `extended-communities: "64512:1"`},
		"bad target":       {route: Route{Prefix: four, ExtendedCommunities: []string{"rt:x"}}, err: `extended-communities: "rt:x"`},
		"bad large":        {route: Route{Prefix: four, LargeCommunities: []string{"1:2"}}, err: `large-communities: "1:2"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.route.Check()
			if test.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), test.err) {
					t.Fatalf("error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			attrs, err := attributes(test.route)
			if err != nil {
				t.Fatal(err)
			}
			var have strings.Builder
			for _, a := range attrs[2:] {
				fmt.Fprint(&have, a)
			}
			if have.String() != test.want {
				t.Errorf("attributes %q, want %q", have.String(), test.want)
			}
			if test.route.Prefix.Addr().Is4() != (attrs[1].GetType() == bgp.BGP_ATTR_TYPE_NEXT_HOP) {
				t.Errorf("next hop by %v", attrs[1])
			}
			if _, err := newPath(test.route); err != nil {
				t.Error(err)
			}
		})
	}
}

func FuzzCommunity(f *testing.F) {
	for _, text := range []string{"64512:1", "0:0", "65535:65535", "65536:0", ":", "1:2:3", "-1:1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCommunity(text)
		if err != nil {
			return
		}
		again, err := parseCommunity(fmt.Sprintf("%d:%d", c>>16, c&0xffff))
		if err != nil || again != c {
			t.Errorf("%q is %d, and again %d, %v", text, c, again, err)
		}
	})
}
