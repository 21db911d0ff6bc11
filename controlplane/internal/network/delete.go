package network

import (
	"context"
	"slices"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Delete refuses while addresses of the network are held or rest in quarantine, or prefixes of a pool are carved. Carved prefixes
// return to their pool; the VNI rests.
func (s *Service) Delete(ctx context.Context, call store.Call, project, id string) error {
	_, err := store.Do(ctx, s.store, call, wire.NetworkCodec, store.Settled(s.store, func(t *store.Txn) (netmodel.Network, error) {
		var n netmodel.Network
		var err error
		s.store.Read(func(d *store.Data) { n, err = s.decideDelete(d, t, store.Named{Project: project, ID: id}) })
		return n, err
	}))
	return err
}

func (s *Service) decideDelete(d *store.Data, t *store.Txn, name store.Named) (netmodel.Network, error) {
	o, ok := d.Networks[name]
	if !ok {
		return o.Value, unknown(name.Project, name.ID)
	}
	n := o.Value
	if err := unused(d, n); err != nil {
		return n, err
	}
	key := keys.Network(n.Project, n.ID)
	t.Unchanged(key, o.ModRevision)
	t.EmptyRange(keys.NetworkIPs(n.ID))
	t.Before(key, o.Raw)
	t.Delete(key)
	if n.VNI != 0 {
		s.restVNI(d, t, n)
	}
	if n.Pool != "" {
		giveBack(d, t, n)
	}
	return n, nil
}

// unused says what keeps a network from being deleted.
func unused(d *store.Data, n netmodel.Network) error {
	if len(n.Carved) > 0 {
		return store.Refuse(store.Precondition, "%s of pool %q is carved for network %q; delete that first (%d are carved)", n.Carved[0].Prefix, n.ID, n.Carved[0].Network, len(n.Carved))
	}
	var held, resting int
	var example netmodel.IP
	for k, o := range d.IPs {
		switch {
		case k.Network != n.ID:
		case o.Value.State == netmodel.IPQuarantined:
			resting++
		default:
			held++
			if !example.Address.IsValid() || k.Address.Less(example.Address) {
				example = o.Value
			}
		}
	}
	switch {
	case held > 0 && example.Allocation != "":
		return store.Refuse(store.Precondition, "network %q has %d addresses in use, such as %s of allocation %q; release that first", n.ID, held, example.Address, example.Allocation)
	case held > 0:
		return store.Refuse(store.Precondition, "network %q has %d addresses held, such as %s; release them first", n.ID, held, example.Address)
	case resting > 0:
		return store.Refuse(store.Precondition, "network %q has %d released addresses that still rest in quarantine; try again when it has ended", n.ID, resting)
	}
	return nil
}

func (s *Service) restVNI(d *store.Data, t *store.Txn, n netmodel.Network) {
	held, ok := d.VNIs[n.VNI]
	if !ok {
		return
	}
	key := keys.VNI(uint32(n.VNI))
	t.Unchanged(key, held.ModRevision)
	t.Before(key, held.Raw)
	if s.quarantine == 0 {
		t.Delete(key)
		return
	}
	store.Quarantine(t, key, store.HeldCodec, store.Held{State: netmodel.IPQuarantined}, s.quarantine)
}

// giveBack returns a network's prefixes to the pool they were carved from.
func giveBack(d *store.Data, t *store.Txn, n netmodel.Network) {
	for _, o := range d.Networks {
		if o.Value.Kind != netmodel.NetworkPool || o.Value.ID != n.Pool {
			continue
		}
		pool := o.Value
		pool.Carved = slices.DeleteFunc(slices.Clone(pool.Carved), func(c netmodel.CarvedPrefix) bool { return c.Network == n.ID && c.Project == n.Project })
		putPool(t, o, pool)
	}
}
