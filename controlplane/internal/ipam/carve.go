package ipam

import (
	"fmt"
	"math/big"
	"net/netip"
	"slices"
)

// Carve returns the lowest prefix of a length inside one of the parents that overlaps none of the taken ones.
func Carve(parents, taken []netip.Prefix, length int, ipv6 bool) (netip.Prefix, error) {
	var considered bool
	for _, parent := range parents {
		if parent.Addr().Is6() != ipv6 || length < parent.Bits() || length > parent.Addr().BitLen() {
			continue
		}
		considered = true
		if p, ok := carveFrom(parent.Masked(), inside(parent, taken), length); ok {
			return p, nil
		}
	}
	family := "IPv4"
	if ipv6 {
		family = "IPv6"
	}
	if !considered {
		return netip.Prefix{}, fmt.Errorf("no %s prefix of the pool is long enough for a /%d", family, length)
	}
	return netip.Prefix{}, fmt.Errorf("the pool has no free %s /%d left", family, length)
}

// inside are the taken prefixes that overlap parent, in order.
func inside(parent netip.Prefix, taken []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, t := range taken {
		if t.Overlaps(parent) {
			out = append(out, t.Masked())
		}
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	return out
}

// carveFrom walks over what is taken in order and stops at the first gap that holds an aligned prefix.
func carveFrom(parent netip.Prefix, taken []netip.Prefix, length int) (netip.Prefix, bool) {
	at := parent.Addr()
	for _, t := range taken {
		if candidate, ok := aligned(at, length, parent); ok && last(candidate).Less(t.Addr()) {
			return candidate, true
		}
		if after := last(t); !after.Less(at) {
			at = after.Next()
		}
		if !at.IsValid() || !parent.Contains(at) {
			return netip.Prefix{}, false
		}
	}
	return aligned(at, length, parent)
}

// aligned is the first prefix of a length that starts at or after at, if it lies in parent.
func aligned(at netip.Addr, length int, parent netip.Prefix) (netip.Prefix, bool) {
	p := netip.PrefixFrom(at, length).Masked()
	if p.Addr().Less(at) {
		size := new(big.Int).Lsh(big.NewInt(1), uint(at.BitLen()-length))
		start := new(big.Int).Add(new(big.Int).SetBytes(p.Addr().AsSlice()), size)
		if start.BitLen() > at.BitLen() {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(offset(p.Addr(), size), length)
	}
	return p, parent.Contains(p.Addr())
}
