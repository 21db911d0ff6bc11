package network

import (
	"net/netip"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// check refuses what no state of the system can make right.
func (r *CreateRequest) check() error {
	if r.Kind == "" {
		r.Kind = netmodel.NetworkPrivate
	}
	for i, p := range r.Prefixes {
		if p != p.Masked() {
			return store.Refuse(store.Invalid, "prefix %s has host bits; did you mean %s?", p, p.Masked())
		}
		for _, other := range r.Prefixes[:i] {
			if p.Overlaps(other) {
				return store.Refuse(store.Invalid, "prefixes %s and %s overlap", other, p)
			}
		}
	}
	switch {
	case len(r.Prefixes) > 0 && r.Pool != "":
		return store.Refuse(store.Invalid, "prefixes and a pool exclude each other")
	case len(r.Prefixes) == 0 && r.Pool == "":
		return store.Refuse(store.Invalid, "a network needs prefixes, or a pool to carve them from")
	case r.Pool == "" && (r.IPv4Length != 0 || r.IPv6Length != 0):
		return store.Refuse(store.Invalid, "lengths are for carving: they need a pool")
	case r.Kind == netmodel.NetworkPool && r.Pool != "":
		return store.Refuse(store.Invalid, "a pool has prefixes of its own and is not carved from another")
	case r.Kind == netmodel.NetworkPool && len(r.Announceable) > 0:
		return store.Refuse(store.Invalid, "a pool has no machines that could announce anything")
	case r.Kind != netmodel.NetworkPool && (r.DefaultIPv4Length != 0 || r.DefaultIPv6Length != 0):
		return store.Refuse(store.Invalid, "default lengths belong to pools")
	}
	return r.checkDefaults()
}

// checkDefaults refuses default lengths that could never be carved.
func (r *CreateRequest) checkDefaults() error {
	for _, family := range []struct {
		length int
		ipv6   bool
	}{{r.DefaultIPv4Length, false}, {r.DefaultIPv6Length, true}} {
		if family.length != 0 && !fits(r.Prefixes, family.length, family.ipv6) {
			return store.Refuse(store.Invalid, "no prefix of the pool holds a /%d", family.length)
		}
	}
	return nil
}

func fits(prefixes []netip.Prefix, length int, ipv6 bool) bool {
	for _, p := range prefixes {
		if p.Addr().Is6() == ipv6 && length >= p.Bits() && length <= p.Addr().BitLen() {
			return true
		}
	}
	return false
}

// checkAnnounceable refuses ranges in which a machine could announce the address of another: those are granted one by one.
func checkAnnounceable(n netmodel.Network) error {
	for _, a := range n.Announceable {
		if a.MaxLength != 0 && (a.MaxLength < a.Prefix.Bits() || a.MaxLength > a.Prefix.Addr().BitLen()) {
			return store.Refuse(store.Invalid, "announceable %s: the longest route /%d is not inside it", a.Prefix, a.MaxLength)
		}
		for _, p := range n.Prefixes {
			if a.Prefix.Overlaps(p) {
				return store.Refuse(store.Invalid, "announceable %s overlaps the network's own %s, whose addresses are granted to machines one by one", a.Prefix, p)
			}
		}
	}
	return nil
}

// checkDestinations refuses what a border could never accept from outside.
func checkDestinations(n netmodel.Network) error {
	if n.Kind != netmodel.NetworkExternal && len(n.Destinations) > 0 {
		return store.Refuse(store.Invalid, "destinations: network %q is %s; only an external network learns routes from outside, so leave them out or create it with kind external", n.ID, n.Kind)
	}
	for _, d := range n.Destinations {
		if d != d.Masked() {
			return store.Refuse(store.Invalid, "destination %s has host bits; did you mean %s?", d, d.Masked())
		}
		for _, p := range n.Prefixes {
			if p.Bits() <= d.Bits() && p.Overlaps(d) {
				return store.Refuse(store.Invalid, "destination %s lies inside the network's own %s, which is never accepted from outside; leave it out", d, p)
			}
		}
	}
	return nil
}
