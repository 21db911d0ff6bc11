package inventory

import (
	"context"
	"slices"
	"strings"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// GetMachine returns a machine of the inventory with what is computed of it.
func (s *Service) GetMachine(id string) (netmodel.MachineView, error) {
	var view netmodel.MachineView
	var ok bool
	s.store.Read(func(d *store.Data) { view, ok = d.Index.One(id) })
	if !ok {
		return view, unknownMachine(id)
	}
	return view, nil
}

// ListMachines returns machines, those that are only discovered last; empty state or rack is any.
func (s *Service) ListMachines(state netmodel.MachineState, rack string) []netmodel.MachineView {
	var all []netmodel.MachineView
	s.store.Read(func(d *store.Data) { all = d.Index.Machines() })
	return slices.DeleteFunc(all, func(m netmodel.MachineView) bool {
		return state != "" && m.State != state || rack != "" && m.Rack != rack
	})
}

func unknownMachine(id string) error {
	return store.Refuse(store.NotFound, "there is no machine %q in the inventory; one that is only discovered has to be adopted first", id)
}

// changeMachine makes a change and shows the machine.
func (s *Service) changeMachine(ctx context.Context, call store.Call, decide func(d *store.Data, t *store.Txn) (netmodel.Machine, error)) (netmodel.MachineView, error) {
	m, err := store.Do(ctx, s.store, call, wire.MachineCodec, store.Settled(s.store, func(t *store.Txn) (netmodel.Machine, error) {
		// Identities are unique: whoever commits second sees that there is a new machine.
		t.NoneCreated(keys.Machines, s.store.Revision())
		var m netmodel.Machine
		var err error
		s.store.Read(func(d *store.Data) { m, err = decide(d, t) })
		return m, err
	}))
	if err != nil {
		return netmodel.MachineView{}, err
	}
	view := netmodel.MachineView{Machine: m} // of one that is deleted, just now or meanwhile
	s.store.Read(func(d *store.Data) {
		if v, ok := d.Index.One(m.ID); ok {
			view = v
		}
	})
	return view, nil
}

// MachineUpdate changes what is not nil. Revision is what the machine must be at; 0 is any.
type MachineUpdate struct {
	ID          string
	Description *string
	Labels      *map[string]string
	Revision    int64
}

// UpdateMachine changes a machine's description or labels. Its identities are how it is recognised: they stay.
func (s *Service) UpdateMachine(ctx context.Context, call store.Call, u MachineUpdate) (netmodel.MachineView, error) {
	return s.changeMachine(ctx, call, func(d *store.Data, t *store.Txn) (netmodel.Machine, error) {
		o, ok := d.Machines[u.ID]
		m := o.Value
		if !ok {
			return m, unknownMachine(u.ID)
		}
		if err := store.Expect(o, u.Revision); err != nil {
			return m, err
		}
		if u.Description != nil {
			m.Description = *u.Description
		}
		if u.Labels != nil {
			m.Labels = *u.Labels
		}
		key := keys.Machine(u.ID)
		t.Unchanged(key, o.ModRevision)
		t.Before(key, o.Raw)
		store.Put(t, key, wire.MachineCodec, m)
		return m, nil
	})
}

// DeleteMachine refuses while the machine is allocated or releasing.
func (s *Service) DeleteMachine(ctx context.Context, call store.Call, id string) error {
	_, err := s.changeMachine(ctx, call, func(d *store.Data, t *store.Txn) (netmodel.Machine, error) {
		o, ok := d.Machines[id]
		if !ok {
			return o.Value, unknownMachine(id)
		}
		if o.Value.Allocation != "" {
			return o.Value, store.Refuse(store.Precondition, "machine %q is held by allocation %q of project %q; release that first", id, o.Value.Allocation, o.Value.Project)
		}
		if view, _ := d.Index.One(id); len(view.PendingRelease) > 0 {
			return o.Value, store.Refuse(store.Precondition, "machine %q is being released: %s has to prove it for %s; wait, or override the release", id, view.PendingRelease[0].Switch, view.PendingRelease[0].Port)
		}
		key := keys.Machine(id)
		t.Unchanged(key, o.ModRevision)
		t.Before(key, o.Raw)
		t.Delete(key)
		return o.Value, nil
	})
	return err
}

// OverrideRelease frees a machine whose leaf will not come back to prove its release. call.Reason says why.
func (s *Service) OverrideRelease(ctx context.Context, call store.Call, id string) (netmodel.MachineView, error) {
	return s.changeMachine(ctx, call, func(d *store.Data, t *store.Txn) (netmodel.Machine, error) {
		o, ok := d.Machines[id]
		m := o.Value
		switch {
		case !ok:
			return m, unknownMachine(id)
		case m.Allocation != "":
			return m, store.Refuse(store.Precondition, "machine %q is held by allocation %q: release that first", id, m.Allocation)
		case len(m.PendingRelease) == 0:
			return m, store.Refuse(store.Precondition, "machine %q waits for no release", id)
		}
		m.PendingRelease = nil
		key := keys.Machine(id)
		t.Unchanged(key, o.ModRevision)
		t.Before(key, o.Raw)
		store.Put(t, key, wire.MachineCodec, m)
		return m, nil
	})
}

// MachineConfig is the file for the host speaker. It refuses (Precondition) when the machine is not allocated.
func (s *Service) MachineConfig(id string) (netmodel.MachineConfig, error) {
	var c netmodel.MachineConfig
	var err error
	s.store.Read(func(d *store.Data) {
		m, ok := d.Machines[id]
		if !ok {
			err = unknownMachine(id)
			return
		}
		a, ok := d.Allocations[store.Named{Project: m.Value.Project, ID: m.Value.Allocation}]
		if !ok {
			err = store.Refuse(store.Precondition, "machine %q is not allocated: it has no network to configure", id)
			return
		}
		c = machineConfig(d, a.Value)
	})
	return c, err
}

func machineConfig(d *store.Data, a netmodel.Allocation) netmodel.MachineConfig {
	c := netmodel.MachineConfig{
		Machine: a.Machine, Allocation: a.ID, Project: a.Project, Hostname: a.Hostname, ASN: a.ASN, Generation: a.Generation,
		MTU: netmodel.DefaultMTU - netmodel.VXLANOverhead,
	}
	if len(a.Attachments) > 0 {
		c.Attachment = a.Attachments[0]
	}
	if c.Hostname == "" {
		c.Hostname = a.Machine
	}
	for _, p := range a.Ports {
		// What the fabric carries is what fits into VXLAN between the leaves.
		c.MTU = min(c.MTU, d.Configs.Value(p.Switch).LinkMTU()-netmodel.VXLANOverhead)
		c.Uplinks = append(c.Uplinks, netmodel.MachineUplink{
			Name: p.MachinePort, MAC: p.MAC, Switch: p.Switch, Port: p.Port, SwitchASN: d.Switches.Value(p.Switch).ASN,
		})
	}
	return c
}

func lower(in []string) []string {
	var out []string
	for _, s := range in {
		if s = strings.ToLower(s); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}
