package allocate

import (
	"context"
	"slices"

	"github.com/pointsman/pointsman/controlplane/internal/compile"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Move brings the machine into another network: same ASN, new addresses, generation one higher. revision is what the allocation
// must be at; 0 is any.
func (s *Service) Move(ctx context.Context, call store.Call, project, id string, to []netmodel.Attachment, revision int64) (netmodel.AllocationView, error) {
	if len(to) != 1 {
		return netmodel.AllocationView{}, store.Refuse(store.Invalid, "attachments: name exactly one network")
	}
	a, err := store.Do(ctx, s.store, call, wire.AllocationCodec, store.Settled(s.store, func(t *store.Txn) (netmodel.Allocation, error) {
		var a netmodel.Allocation
		var err error
		s.store.Read(func(d *store.Data) {
			a, err = s.decideMove(d, t, store.Named{Project: project, ID: id}, to[0], revision)
		})
		return a, err
	}))
	if err != nil {
		return netmodel.AllocationView{}, err
	}
	return s.shown(a), nil
}

func (s *Service) decideMove(d *store.Data, t *store.Txn, name store.Named, to netmodel.Attachment, revision int64) (netmodel.Allocation, error) {
	project, id := name.Project, name.ID
	o, ok := d.Allocations[name]
	if !ok {
		return o.Value, unknown(project, id)
	}
	if err := store.Expect(o, revision); err != nil {
		return o.Value, err
	}
	old := o.Value
	if old.Attachments[0].Network == to.Network {
		return old, store.Refuse(store.Invalid, "attachments.network: allocation %q is in network %q already", id, to.Network)
	}
	n, err := attachable(d, t, project, to)
	if err != nil {
		return old, err
	}
	key := keys.Allocation(project, id)
	t.Unchanged(key, o.ModRevision)
	t.Before(key, o.Raw)
	a := old
	a.Ports = slices.Clone(old.Ports)
	a.Generation++
	s.letGo(d, t, old, nil)
	if err := s.hold(d, t, &a, n, to); err != nil {
		return a, err
	}
	takePorts(d, t, &a, n)
	store.Put(t, key, wire.AllocationCodec, a)
	t.Unchanged(keys.Receipt(id), d.Receipts[id].ModRevision)
	allocated(t, a, s.store.Now())
	return a, nil
}

// Release takes the machine back. The answer is the ports that have to prove it before the machine is free again.
func (s *Service) Release(ctx context.Context, call store.Call, project, id string) ([]netmodel.PendingRelease, error) {
	return store.Do(ctx, s.store, call, wire.PendingReleasesCodec, store.Settled(s.store, func(t *store.Txn) ([]netmodel.PendingRelease, error) {
		var pending []netmodel.PendingRelease
		var err error
		s.store.Read(func(d *store.Data) { pending, err = s.decideRelease(d, t, project, id) })
		return pending, err
	}))
}

func (s *Service) decideRelease(d *store.Data, t *store.Txn, project, id string) ([]netmodel.PendingRelease, error) {
	o, ok := d.Allocations[store.Named{Project: project, ID: id}]
	if !ok {
		return nil, unknown(project, id)
	}
	a := o.Value
	key := keys.Allocation(project, id)
	t.Unchanged(key, o.ModRevision)
	t.Before(key, o.Raw)
	t.Delete(key)
	// Not compared: stamps may come in at any moment, and the receipt goes whatever it says.
	t.Delete(keys.Receipt(id))
	s.letGo(d, t, a, nil)
	s.letGoASN(d, t, a)
	var pending []netmodel.PendingRelease
	for _, p := range a.Ports {
		generation := writeIntent(d, t, compile.Port(p.Switch, p.Port, nil, nil))
		pending = append(pending, netmodel.PendingRelease{Switch: p.Switch, Port: p.Port, Generation: generation})
	}
	if m, ok := d.Machines[a.Machine]; ok {
		machineKey := keys.Machine(a.Machine)
		t.Unchanged(machineKey, m.ModRevision)
		t.Before(machineKey, m.Raw)
		machine := m.Value
		machine.Project, machine.Allocation, machine.PendingRelease = "", "", pending
		store.Put(t, machineKey, wire.MachineCodec, machine)
	}
	return pending, nil
}

func (s *Service) letGoASN(d *store.Data, t *store.Txn, a netmodel.Allocation) {
	o, ok := d.ASNs[a.ASN]
	if !ok {
		return
	}
	key := keys.ASN(uint32(a.ASN))
	t.Unchanged(key, o.ModRevision)
	t.Before(key, o.Raw)
	if s.quarantine == 0 {
		t.Delete(key)
		return
	}
	store.Quarantine(t, key, store.HeldCodec, store.Held{State: netmodel.IPQuarantined, Project: a.Project}, s.quarantine)
}
