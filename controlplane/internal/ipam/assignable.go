package ipam

import "net/netip"

// Assignable says whether an address of a prefix may be given to a machine: not the reserved ones of NewPrefix.
func Assignable(prefix netip.Prefix, a netip.Addr) bool {
	prefix = prefix.Masked()
	p := Prefix{prefix: prefix, bits: prefix.Addr().BitLen() - prefix.Bits()}
	return p.Contains(a)
}
