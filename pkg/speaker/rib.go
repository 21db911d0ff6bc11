package speaker

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/apiutil"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

// way is a route from one router.
type way struct {
	hop    NextHop
	length int // of its AS path
}

// rib is what is learned, by destination.
type rib map[netip.Prefix][]way

// ecmp are the next hops of the shortest AS paths, whatever ASNs these hold (multipath-relax), sorted: pure.
func (r rib) ecmp() map[netip.Prefix][]NextHop {
	out := map[netip.Prefix][]NextHop{}
	for prefix, ways := range r {
		shortest := ways[0].length
		for _, w := range ways {
			shortest = min(shortest, w.length)
		}
		for _, w := range ways {
			if w.length == shortest && !slices.Contains(out[prefix], w.hop) {
				out[prefix] = append(out[prefix], w.hop)
			}
		}
		slices.SortFunc(out[prefix], compareHops)
	}
	return out
}

func compareHops(a, b NextHop) int {
	if a.Interface != b.Interface {
		if a.Interface < b.Interface {
			return -1
		}
		return 1
	}
	return a.Gateway.Compare(b.Gateway)
}

func equalRoutes(a, b map[netip.Prefix][]NextHop) bool {
	return maps.EqualFunc(a, b, func(x, y []NextHop) bool { return slices.Equal(x, y) })
}

// learn adds what a router announces.
func (s *Speaker) learn(ctx context.Context, r rib, session Session) error {
	name := session.Peer.WithZone(session.Interface).String()
	for _, family := range families {
		req := &api.ListPathRequest{TableType: api.TableType_ADJ_IN, Name: name, Family: family}
		err := s.bgp.ListPath(ctx, req, func(d *api.Destination) {
			prefix, err := netip.ParsePrefix(d.GetPrefix())
			if err != nil {
				return // no unicast prefix
			}
			for _, p := range d.GetPaths() {
				attrs, err := apiutil.GetNativePathAttributes(p)
				if err != nil {
					continue
				}
				asns, length := asPath(attrs)
				if slices.Contains(asns, s.c.ASN) {
					continue // a loop (RFC 4271, section 9.1.2): adj-in holds these too
				}
				r[prefix] = append(r[prefix], way{NextHop{Gateway: session.Peer, Interface: session.Interface}, length})
			}
		})
		if err != nil {
			return fmt.Errorf("list routes from %s: %w", name, err)
		}
	}
	return nil
}

// asPath are the ASNs of a path and its length as RFC 4271, section 9.1.2.2, counts it: a set is one.
func asPath(attrs []bgp.PathAttributeInterface) (asns []uint32, length int) {
	for _, a := range attrs {
		path, ok := a.(*bgp.PathAttributeAsPath)
		if !ok {
			continue
		}
		for _, segment := range path.Value {
			asns = append(asns, segment.GetAS()...)
			length += segment.ASLen()
		}
	}
	return asns, length
}
