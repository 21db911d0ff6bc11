package allocate

import (
	"context"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Describe changes an allocation's description, and nothing on any switch. revision is what it must be at; 0 is any.
func (s *Service) Describe(ctx context.Context, call store.Call, project, id, description string, revision int64) (netmodel.AllocationView, error) {
	a, err := store.Do(ctx, s.store, call, wire.AllocationCodec, store.Settled(s.store, func(t *store.Txn) (netmodel.Allocation, error) {
		var o store.Object[netmodel.Allocation]
		var ok bool
		s.store.Read(func(d *store.Data) { o, ok = d.Allocations[store.Named{Project: project, ID: id}] })
		if !ok {
			return o.Value, unknown(project, id)
		}
		if err := store.Expect(o, revision); err != nil {
			return o.Value, err
		}
		a := o.Value
		a.Description = description
		key := keys.Allocation(project, id)
		t.Unchanged(key, o.ModRevision)
		t.Before(key, o.Raw)
		store.Put(t, key, wire.AllocationCodec, a)
		return a, nil
	}))
	if err != nil {
		return netmodel.AllocationView{}, err
	}
	return s.shown(a), nil
}
