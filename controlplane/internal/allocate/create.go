package allocate

import (
	"context"

	"github.com/pointsman/pointsman/controlplane/internal/compile"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Request asks for a machine: a given one, or any that is free, of a rack or of any. An empty ID is generated.
type Request struct {
	Project, ID   string
	Machine, Rack string
	Attachments   []netmodel.Attachment
	Hostname      string
	Description   string
}

// Create allocates a machine. It returns once the allocation is committed; the receipt tells how far it is.
func (s *Service) Create(ctx context.Context, call store.Call, r Request) (netmodel.AllocationView, error) {
	if len(r.Attachments) != 1 {
		return netmodel.AllocationView{}, store.Refuse(store.Invalid, "attachments: name exactly one network")
	}
	a, err := store.Do(ctx, s.store, call, wire.AllocationCodec, store.Settled(s.store, func(t *store.Txn) (netmodel.Allocation, error) {
		var a netmodel.Allocation
		var err error
		s.store.Read(func(d *store.Data) { a, err = s.decideCreate(d, t, r) })
		return a, err
	}))
	if err != nil {
		return netmodel.AllocationView{}, err
	}
	return s.shown(a), nil
}

func (s *Service) decideCreate(d *store.Data, t *store.Txn, r Request) (netmodel.Allocation, error) {
	a := netmodel.Allocation{ID: r.ID, Project: r.Project, Hostname: r.Hostname, Description: r.Description, Generation: 1, CreateTime: s.store.Now()}
	if a.ID == "" {
		a.ID = newID()
	}
	if err := unused(d, t, a); err != nil {
		return a, err
	}
	n, err := attachable(d, t, r.Project, r.Attachments[0])
	if err != nil {
		return a, err
	}
	m, err := choose(d, r)
	if err != nil {
		return a, err
	}
	a.Machine, a.Rack = m.ID, m.Rack
	if a.Hostname == "" {
		a.Hostname = m.ID
	}
	if err := s.hold(d, t, &a, n, r.Attachments[0]); err != nil {
		return a, err
	}
	if err := holdASN(d, t, &a); err != nil {
		return a, err
	}
	takeMachine(d, t, &a, m)
	takePorts(d, t, &a, n)
	store.Put(t, keys.Allocation(a.Project, a.ID), wire.AllocationCodec, a)
	allocated(t, a, a.CreateTime)
	return a, nil
}

// unused requires that the id is free. Receipts and probes are named by it alone, so that it is unique in the whole fabric.
func unused(d *store.Data, t *store.Txn, a netmodel.Allocation) error {
	if _, ok := d.Allocations[store.Named{Project: a.Project, ID: a.ID}]; ok {
		return store.Refuse(store.Exists, "id: project %q has an allocation %q already", a.Project, a.ID)
	}
	if _, ok := d.Receipts[a.ID]; ok {
		return store.Refuse(store.Exists, "id: %q is in use by another project; choose another one", a.ID)
	}
	t.Absent(keys.Allocation(a.Project, a.ID))
	t.Absent(keys.Receipt(a.ID))
	return nil
}

func holdASN(d *store.Data, t *store.Txn, a *netmodel.Allocation) error {
	asn, ok := d.Pools.PickASN()
	if !ok {
		return store.Refuse(store.Exhausted, "no ASN is free: all of %d to %d are held or rest in quarantine", netmodel.FirstMachineASN, netmodel.LastMachineASN)
	}
	key := keys.ASN(uint32(asn))
	t.Absent(key)
	store.Put(t, key, store.HeldCodec, store.Held{State: netmodel.IPHeld, Project: a.Project, Allocation: a.ID})
	a.ASN = asn
	return nil
}

// takeMachine compares the machine and everything that made it a candidate, and marks it as held.
func takeMachine(d *store.Data, t *store.Txn, a *netmodel.Allocation, m netmodel.MachineView) {
	stored := d.Machines[m.ID]
	key := keys.Machine(m.ID)
	t.Unchanged(key, stored.ModRevision)
	t.Before(key, stored.Raw)
	machine := stored.Value
	machine.Project, machine.Allocation, machine.PendingRelease = a.Project, a.ID, nil
	store.Put(t, key, wire.MachineCodec, machine)
	for _, c := range m.Connections {
		a.Ports = append(a.Ports, netmodel.AllocationPort{Switch: c.Switch, Port: c.Port, MachinePort: c.MachinePort, MAC: c.MAC})
		at := store.Port{Switch: c.Switch, Port: c.Port}
		t.Unchanged(keys.SwitchConfig(c.Switch), d.Configs[c.Switch].ModRevision)
		t.Unchanged(keys.Alive(c.Switch), d.Alive[c.Switch].ModRevision)
		t.Unchanged(keys.AgentStatus(c.Switch), d.SwitchStatuses[c.Switch].ModRevision)
		t.Unchanged(keys.Discovery(c.Switch, c.Port), d.Discoveries[at].ModRevision)
		t.Unchanged(keys.PortStatus(c.Switch, c.Port), d.PortStatuses[at].ModRevision)
	}
}

// takePorts writes the intents of the allocation's ports and notes their generations.
func takePorts(d *store.Data, t *store.Txn, a *netmodel.Allocation, n netmodel.Network) {
	for i, p := range a.Ports {
		a.Ports[i].Generation = writeIntent(d, t, compile.Port(p.Switch, p.Port, a, &n))
	}
}

// writeIntent rewrites a port's intent with its next generation.
func writeIntent(d *store.Data, t *store.Txn, intent netmodel.PortIntent) uint64 {
	stored := d.Intents[store.Port{Switch: intent.Switch, Port: intent.Port}]
	intent.Generation = stored.Value.Generation + 1
	key := keys.PortIntent(intent.Switch, intent.Port)
	t.Unchanged(key, stored.ModRevision)
	store.Put(t, key, wire.PortIntentCodec, intent)
	return intent.Generation
}
