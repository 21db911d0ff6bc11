package network

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	"github.com/pointsman/pointsman/controlplane/internal/ipam"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Family selects a family where a network has both.
type Family int

// Families.
const (
	AnyFamily Family = 0
	IPv4      Family = 4
	IPv6      Family = 6
)

// IPRequest asks for a static address: a given one, or a free one of a family.
type IPRequest struct {
	Project, Network string
	Address          netip.Addr
	Family           Family
	Description      string
}

// CreateIP holds a static address. It stays until it is released, whatever becomes of machines that use it.
func (s *Service) CreateIP(ctx context.Context, call store.Call, r IPRequest) (netmodel.IP, error) {
	return store.Do(ctx, s.store, call, wire.IPCodec, store.Settled(s.store, func(t *store.Txn) (netmodel.IP, error) {
		var ip netmodel.IP
		var err error
		s.store.Read(func(d *store.Data) { ip, err = s.decideCreateIP(d, t, r) })
		return ip, err
	}))
}

func (s *Service) decideCreateIP(d *store.Data, t *store.Txn, r IPRequest) (netmodel.IP, error) {
	o, err := find(d, r.Project, r.Network)
	if err != nil {
		return netmodel.IP{}, err
	}
	n := o.Value
	if n.Kind == netmodel.NetworkPool {
		return netmodel.IP{}, store.Refuse(store.Invalid, "network %q is a pool: it has prefixes to carve, and no addresses", n.ID)
	}
	ip := netmodel.IP{
		Network: n.ID, Address: r.Address, Project: r.Project, Kind: netmodel.IPStatic, State: netmodel.IPHeld, Description: r.Description, CreateTime: s.store.Now(),
	}
	if r.Address.IsValid() {
		err = given(d, n, r.Address)
	} else {
		ip.Address, err = free(d, n, r.Family)
	}
	if err != nil {
		return ip, err
	}
	key := keys.IP(n.ID, ip.Address)
	t.Unchanged(keys.Network(n.Project, n.ID), o.ModRevision)
	t.Absent(key)
	store.Put(t, key, wire.IPCodec, ip)
	return ip, nil
}

// given refuses an address that cannot be held, or is.
func given(d *store.Data, n netmodel.Network, a netip.Addr) error {
	i := slices.IndexFunc(n.Prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
	if i < 0 {
		return store.Refuse(store.Invalid, "address %s is in none of the prefixes of network %q: %v", a, n.ID, n.Prefixes)
	}
	if !ipam.Assignable(n.Prefixes[i], a) {
		return store.Refuse(store.Invalid, "address %s is the network or broadcast address of %s", a, n.Prefixes[i])
	}
	held, ok := d.IPs[store.Address{Network: n.ID, Address: a}]
	switch {
	case !ok:
		return nil
	case held.Value.State == netmodel.IPQuarantined:
		return store.Refuse(store.Exists, "address %s was released lately and rests in quarantine", a)
	case held.Value.Allocation != "":
		return store.Refuse(store.Exists, "address %s is held by allocation %q", a, held.Value.Allocation)
	default:
		return store.Refuse(store.Exists, "address %s is held already", a)
	}
}

// free picks an address of a family.
func free(d *store.Data, n netmodel.Network, f Family) (netip.Addr, error) {
	has := map[Family]bool{}
	for _, p := range n.Prefixes {
		if p.Addr().Is6() {
			has[IPv6] = true
		} else {
			has[IPv4] = true
		}
	}
	if f == AnyFamily {
		if len(has) > 1 {
			return netip.Addr{}, store.Refuse(store.Invalid, "network %q has IPv4 and IPv6: say which family, or give the address", n.ID)
		}
		for only := range has {
			f = only
		}
	}
	if !has[f] {
		return netip.Addr{}, store.Refuse(store.Invalid, "network %q has no IPv%d prefix", n.ID, f)
	}
	a, ok := d.Pools.PickIP(n.ID, f == IPv6)
	if !ok {
		return a, store.Refuse(store.Exhausted, "all IPv%d addresses of network %q are held or rest in quarantine", f, n.ID)
	}
	return a, nil
}

// DeleteIP frees a static address; it rests in quarantine.
func (s *Service) DeleteIP(ctx context.Context, call store.Call, project, network string, address netip.Addr) error {
	_, err := store.Do(ctx, s.store, call, wire.IPCodec, store.Settled(s.store, func(t *store.Txn) (netmodel.IP, error) {
		var ip netmodel.IP
		var err error
		s.store.Read(func(d *store.Data) {
			ip, err = s.decideDeleteIP(d, t, project, store.Address{Network: network, Address: address})
		})
		return ip, err
	}))
	return err
}

func (s *Service) decideDeleteIP(d *store.Data, t *store.Txn, project string, at store.Address) (netmodel.IP, error) {
	o, ok := d.IPs[at]
	ip := o.Value
	switch {
	case !ok || ip.Project != project:
		return ip, noAddress(project, at)
	case ip.State == netmodel.IPQuarantined:
		return ip, store.Refuse(store.NotFound, "address %s of network %q is released already and rests in quarantine", at.Address, at.Network)
	}
	if user := userOf(d, ip); user != "" {
		return ip, store.Refuse(store.Precondition, "address %s is used by allocation %q; release or move that first", at.Address, user)
	}
	key := keys.IP(at.Network, at.Address)
	t.Unchanged(key, o.ModRevision)
	t.Before(key, o.Raw)
	if s.quarantine == 0 {
		t.Delete(key)
		return ip, nil
	}
	ip.State = netmodel.IPQuarantined
	store.Quarantine(t, key, wire.IPCodec, ip, s.quarantine)
	return ip, nil
}

// userOf is the allocation that has an address as its own, or may announce it as a service.
func userOf(d *store.Data, ip netmodel.IP) string {
	if ip.Allocation != "" {
		return ip.Allocation
	}
	for _, o := range d.Allocations {
		for _, a := range o.Value.Attachments {
			if a.Network == ip.Network && slices.Contains(a.ServiceAddresses, ip.Address) {
				return o.Value.ID
			}
		}
	}
	return ""
}

func noAddress(project string, at store.Address) error {
	return store.Refuse(store.NotFound, "project %q holds no address %s in network %q", project, at.Address, at.Network)
}

// GetIP returns a held or resting address.
func (s *Service) GetIP(project, network string, address netip.Addr) (netmodel.IP, error) {
	at := store.Address{Network: network, Address: address}
	var ip netmodel.IP
	s.store.Read(func(d *store.Data) { ip = d.IPs.Value(at) })
	if ip.Project != project || !ip.Address.IsValid() {
		return netmodel.IP{}, noAddress(project, at)
	}
	return ip, nil
}

// ListIPs returns addresses, quarantined ones too, sorted; empty project or network is any.
func (s *Service) ListIPs(project, network string) []netmodel.IP {
	var out []netmodel.IP
	s.store.Read(func(d *store.Data) {
		for k, o := range d.IPs {
			if (network == "" || k.Network == network) && (project == "" || o.Value.Project == project) {
				out = append(out, o.Value)
			}
		}
	})
	slices.SortFunc(out, func(a, b netmodel.IP) int {
		return cmp.Or(cmp.Compare(a.Network, b.Network), a.Address.Compare(b.Address))
	})
	return out
}
