package ipam

import (
	"math/big"
	"net/netip"
)

// bitmapBits is the size, as a power of two, up to which a prefix is kept as a bitmap. Beyond it held addresses are few in
// comparison, and a random pick is almost always free.
const bitmapBits = 20

// sparseTries bounds random picks in a sparse set.
const sparseTries = 256

// Prefix is a prefix of which some addresses are held.
type Prefix struct {
	prefix netip.Prefix
	bits   int
	bitmap *bitmap             // up to 2^bitmapBits addresses
	sparse map[netip.Addr]bool // beyond
}

// NewPrefix makes a set with nothing held but what can never be: the network and broadcast addresses of IPv4 (RFC 1122; not of
// /31 and /32, RFC 3021) and the subnet-router anycast address of IPv6 (RFC 4291, section 2.6.1; not of /127 and /128, RFC 6164).
func NewPrefix(prefix netip.Prefix) *Prefix {
	prefix = prefix.Masked()
	p := &Prefix{prefix: prefix, bits: prefix.Addr().BitLen() - prefix.Bits()}
	if p.bits > bitmapBits {
		p.sparse = map[netip.Addr]bool{}
	} else {
		p.bitmap = newBitmap(1 << p.bits)
	}
	if p.bits > 1 {
		p.Mark(prefix.Addr(), true)
		if prefix.Addr().Is4() {
			p.Mark(last(prefix), true)
		}
	}
	return p
}

// Is6 says whether it is an IPv6 prefix.
func (p *Prefix) Is6() bool { return p.prefix.Addr().Is6() }

// Contains says whether an address is in the prefix and can be handed out at all.
func (p *Prefix) Contains(a netip.Addr) bool { return p.prefix.Contains(a) && !p.reserved(a) }

func (p *Prefix) reserved(a netip.Addr) bool {
	return p.bits > 1 && (a == p.prefix.Addr() || a.Is4() && a == last(p.prefix))
}

// Mark says that an address is held, or free again. Addresses outside are ignored; reserved ones stay held.
func (p *Prefix) Mark(a netip.Addr, held bool) {
	if !p.prefix.Contains(a) || !held && p.reserved(a) {
		return
	}
	if p.bitmap != nil {
		p.bitmap.mark(p.index(a), held)
		return
	}
	if held {
		p.sparse[a] = true
	} else {
		delete(p.sparse, a)
	}
}

// Held says whether an address is held or reserved.
func (p *Prefix) Held(a netip.Addr) bool {
	if p.bitmap != nil {
		return p.bitmap.held(p.index(a))
	}
	return p.sparse[a]
}

// Pick returns a free address: the next one after a random place, so that replicas rarely choose the same. It changes nothing.
// random(n) returns a number below n.
func (p *Prefix) Pick(random func(n uint64) uint64) (netip.Addr, bool) {
	if p.bitmap != nil {
		i, ok := p.bitmap.next(int(random(uint64(p.bitmap.size))))
		if !ok {
			return netip.Addr{}, false
		}
		return p.at(uint64(i)), true
	}
	for range sparseTries {
		a := p.at(p.random(random))
		if !p.sparse[a] {
			return a, true
		}
	}
	return p.scan()
}

// random is a number below 2^bits; of a prefix beyond 2^63 addresses the low 63 bits are enough.
func (p *Prefix) random(random func(n uint64) uint64) uint64 {
	return random(1 << min(p.bits, 63))
}

// scan looks at one address after the other: only a sparse set that is almost full comes here.
func (p *Prefix) scan() (netip.Addr, bool) {
	for a := p.prefix.Addr(); p.prefix.Contains(a); a = a.Next() {
		if !p.sparse[a] {
			return a, true
		}
	}
	return netip.Addr{}, false
}

func (p *Prefix) index(a netip.Addr) int {
	full := a.As16()
	var i int
	for _, b := range full[12:] {
		i = i<<8 | int(b)
	}
	return i & (1<<p.bits - 1)
}

func (p *Prefix) at(i uint64) netip.Addr { return offset(p.prefix.Addr(), new(big.Int).SetUint64(i)) }

// offset is the address n after a.
func offset(a netip.Addr, n *big.Int) netip.Addr {
	sum := new(big.Int).Add(new(big.Int).SetBytes(a.AsSlice()), n)
	raw := sum.FillBytes(make([]byte, a.BitLen()/8))
	out, _ := netip.AddrFromSlice(raw)
	return out
}

// last is the highest address of a prefix.
func last(p netip.Prefix) netip.Addr {
	size := new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits()))
	return offset(p.Addr(), size.Sub(size, big.NewInt(1)))
}
