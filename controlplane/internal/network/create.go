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

// CreateRequest asks for a network. Prefixes are explicit, or else carved from Pool with these lengths; 0 means the pool's
// defaults. An empty ID is generated.
type CreateRequest struct {
	Project, ID                          string
	Kind                                 netmodel.NetworkKind
	Description                          string
	Prefixes                             []netip.Prefix
	Pool                                 string
	IPv4Length, IPv6Length               int
	Announceable                         []netmodel.Grant
	Destinations                         []netip.Prefix
	DefaultIPv4Length, DefaultIPv6Length int
	Labels                               map[string]string
}

// Create makes a network: its prefixes are carved or taken as given, its VNI is chosen, and its VRF follows from that.
func (s *Service) Create(ctx context.Context, call store.Call, r CreateRequest) (netmodel.Network, error) {
	if r.ID == "" {
		r.ID = generatedID("net")
	}
	if err := r.check(); err != nil {
		return netmodel.Network{}, err
	}
	return store.Do(ctx, s.store, call, wire.NetworkCodec, store.Settled(s.store, func(t *store.Txn) (netmodel.Network, error) {
		// Two networks that overlap must not be created at once: whoever commits second sees that there is a new one.
		t.NoneCreated(keys.Networks, s.store.Revision())
		var n netmodel.Network
		var err error
		s.store.Read(func(d *store.Data) { n, err = s.decideCreate(d, t, r) })
		return n, err
	}))
}

func (s *Service) decideCreate(d *store.Data, t *store.Txn, r CreateRequest) (netmodel.Network, error) {
	n := netmodel.Network{
		ID: r.ID, Project: r.Project, Kind: r.Kind, Description: r.Description, Prefixes: r.Prefixes, Announceable: r.Announceable, Destinations: r.Destinations, Pool: r.Pool,
		DefaultIPv4Length: r.DefaultIPv4Length, DefaultIPv6Length: r.DefaultIPv6Length, Labels: r.Labels, CreateTime: s.store.Now(),
	}
	for k := range d.Networks {
		if k.ID == r.ID {
			return n, store.Refuse(store.Exists, "network %q exists already, in project %q; the ids of networks are unique across projects", r.ID, k.Project)
		}
	}
	if err := overlap(d, r.Prefixes); err != nil {
		return n, err
	}
	if r.Pool != "" {
		carved, err := carve(d, t, r)
		if err != nil {
			return n, err
		}
		n.Prefixes = carved
	}
	if err := checkAnnounceable(n); err != nil {
		return n, err
	}
	if err := checkDestinations(n); err != nil {
		return n, err
	}
	if hasVRF(n.Kind) {
		vni, ok := d.Pools.PickVNI()
		if !ok {
			return n, store.Refuse(store.Exhausted, "all VNIs from %d to %d are held or rest in quarantine", netmodel.FirstVNI, netmodel.LastVNI)
		}
		n.VNI, n.VRF = vni, netmodel.VRFName(vni)
		t.Absent(keys.VNI(uint32(vni)))
		store.Put(t, keys.VNI(uint32(vni)), store.HeldCodec, store.Held{State: netmodel.IPHeld, Project: r.Project, Network: r.ID})
	}
	key := keys.Network(r.Project, r.ID)
	t.Absent(key)
	store.Put(t, key, wire.NetworkCodec, n)
	return n, nil
}

// hasVRF says whether machines can be attached to networks of a kind.
func hasVRF(k netmodel.NetworkKind) bool {
	return k == netmodel.NetworkPrivate || k == netmodel.NetworkShared || k == netmodel.NetworkExternal
}

// overlap refuses prefixes that another network has, in whatever VRF: the same address would mean two machines to its readers.
func overlap(d *store.Data, prefixes []netip.Prefix) error {
	for _, o := range d.Networks {
		for _, held := range o.Value.Prefixes {
			for _, p := range prefixes {
				if !p.Overlaps(held) {
					continue
				}
				if o.Value.Kind == netmodel.NetworkPool {
					return store.Refuse(store.Precondition, "prefix %s overlaps %s of pool %q; leave the prefix out and name the pool to carve from it", p, held, o.Value.ID)
				}
				return store.Refuse(store.Precondition, "prefix %s overlaps %s of network %q in project %q; choose another one", p, held, o.Value.ID, o.Value.Project)
			}
		}
	}
	return nil
}

// carve takes one prefix of each family from a pool and notes them there.
func carve(d *store.Data, t *store.Txn, r CreateRequest) ([]netip.Prefix, error) {
	o, err := find(d, r.Project, r.Pool)
	if err != nil {
		return nil, err
	}
	pool := o.Value
	if pool.Kind != netmodel.NetworkPool {
		return nil, store.Refuse(store.Invalid, "network %q is %s, not a pool: prefixes cannot be carved from it", pool.ID, pool.Kind)
	}
	var taken, out []netip.Prefix
	for _, c := range pool.Carved {
		taken = append(taken, c.Prefix)
	}
	pool.Carved = slices.Clone(pool.Carved)
	for _, family := range []struct {
		length int
		ipv6   bool
	}{{cmp.Or(r.IPv4Length, pool.DefaultIPv4Length), false}, {cmp.Or(r.IPv6Length, pool.DefaultIPv6Length), true}} {
		if family.length == 0 {
			continue
		}
		p, err := ipam.Carve(pool.Prefixes, taken, family.length, family.ipv6)
		if err != nil {
			return nil, store.Refuse(store.Exhausted, "carve from pool %q: %v", pool.ID, err)
		}
		out = append(out, p)
		pool.Carved = append(pool.Carved, netmodel.CarvedPrefix{Prefix: p, Project: r.Project, Network: r.ID})
	}
	if len(out) == 0 {
		return nil, store.Refuse(store.Invalid, "pool %q has no default lengths: say which to carve", pool.ID)
	}
	slices.SortFunc(pool.Carved, func(a, b netmodel.CarvedPrefix) int { return a.Prefix.Addr().Compare(b.Prefix.Addr()) })
	putPool(t, o, pool)
	return out, nil
}

func putPool(t *store.Txn, before store.Object[netmodel.Network], pool netmodel.Network) {
	key := keys.Network(pool.Project, pool.ID)
	t.Unchanged(key, before.ModRevision)
	t.Before(key, before.Raw)
	store.Put(t, key, wire.NetworkCodec, pool)
}
