package speaker

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/apiutil"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

// newPath is a route as GoBGP's API takes it. The unspecified next hop makes GoBGP use the session's own address: for IPv4 over
// an unnumbered session that is an IPv6 next hop (RFC 8950).
func newPath(r Route) (*api.Path, error) {
	attrs, err := attributes(r)
	if err != nil {
		return nil, err
	}
	return apiutil.NewPath(nlri(r.Prefix), false, attrs, time.Now())
}

func nlri(p netip.Prefix) bgp.AddrPrefixInterface {
	if p.Addr().Is4() {
		return bgp.NewIPAddrPrefix(uint8(p.Bits()), p.Addr().String())
	}
	return bgp.NewIPv6AddrPrefix(uint8(p.Bits()), p.Addr().String())
}

func attributes(r Route) ([]bgp.PathAttributeInterface, error) {
	if !r.Prefix.IsValid() || r.Prefix != r.Prefix.Masked() {
		return nil, fmt.Errorf("prefix: %s is no prefix without host bits", r.Prefix)
	}
	attrs := []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(bgp.BGP_ORIGIN_ATTR_TYPE_IGP)}
	if r.Prefix.Addr().Is4() {
		attrs = append(attrs, bgp.NewPathAttributeNextHop("0.0.0.0"))
	} else {
		attrs = append(attrs, bgp.NewPathAttributeMpReachNLRI("::", []bgp.AddrPrefixInterface{nlri(r.Prefix)}))
	}
	if len(r.ASPath) > 0 {
		attrs = append(attrs, bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, r.ASPath)}))
	}
	communities, err := communityAttributes(r)
	return append(attrs, communities...), err
}

func communityAttributes(r Route) ([]bgp.PathAttributeInterface, error) {
	var attrs []bgp.PathAttributeInterface
	var standard []uint32
	for _, text := range r.Communities {
		c, err := parseCommunity(text)
		if err != nil {
			return nil, err
		}
		standard = append(standard, c)
	}
	if len(standard) > 0 {
		attrs = append(attrs, bgp.NewPathAttributeCommunities(standard))
	}
	var extended []bgp.ExtendedCommunityInterface
	for _, text := range r.ExtendedCommunities {
		value, ok := strings.CutPrefix(text, "rt:")
		if !ok {
			return nil, fmt.Errorf("extended-communities: %q is not of the form rt:ASN:NUMBER", text)
		}
		c, err := bgp.ParseRouteTarget(value)
		if err != nil {
			return nil, fmt.Errorf("extended-communities: %q: %w", text, err)
		}
		extended = append(extended, c)
	}
	if len(extended) > 0 {
		attrs = append(attrs, bgp.NewPathAttributeExtendedCommunities(extended))
	}
	var large []*bgp.LargeCommunity
	for _, text := range r.LargeCommunities {
		c, err := bgp.ParseLargeCommunity(text)
		if err != nil {
			return nil, fmt.Errorf("large-communities: %q: %w", text, err)
		}
		large = append(large, c)
	}
	if len(large) > 0 {
		attrs = append(attrs, bgp.NewPathAttributeLargeCommunities(large))
	}
	return attrs, nil
}

// parseCommunity reads a standard community, two halves of 16 bits.
func parseCommunity(text string) (uint32, error) {
	high, low, ok := strings.Cut(text, ":")
	a, errA := strconv.ParseUint(high, 10, 16)
	b, errB := strconv.ParseUint(low, 10, 16)
	if !ok || errA != nil || errB != nil {
		return 0, fmt.Errorf("communities: %q is not of the form 64512:1, two numbers of 16 bits", text)
	}
	return uint32(a<<16 | b), nil
}
