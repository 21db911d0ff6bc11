package inventory

import (
	"cmp"
	"context"
	"slices"

	"github.com/pointsman/pointsman/controlplane/internal/compile"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// SwitchUpdate changes what is not nil.
type SwitchUpdate struct {
	ID          string
	Description *string
	Ports       *[]netmodel.SwitchPort
	MTU         *int
	// Revision is what the switch must be at; 0 is any.
	Revision int64
}

// maxPorts is how many intents go into the transaction of their switch; the compiler writes the others.
const maxPorts = 100

// CreateSwitch registers a switch. ASN 0 means the next free one.
func (s *Service) CreateSwitch(ctx context.Context, call store.Call, sw netmodel.Switch) (netmodel.SwitchView, error) {
	sw.Ports = slices.SortedFunc(slices.Values(sw.Ports), comparePorts)
	if err := check(sw); err != nil {
		return netmodel.SwitchView{}, err
	}
	return s.changeSwitch(ctx, call, func(t *store.Txn) (netmodel.Switch, error) {
		// Loopbacks and ASNs are unique: whoever commits second sees that there is a new switch.
		t.NoneCreated(keys.Switches, s.store.Revision())
		var created netmodel.Switch
		var err error
		s.store.Read(func(d *store.Data) { created, err = s.decideCreate(d, t, sw) })
		return created, err
	})
}

// changeSwitch makes a change and shows the switch.
func (s *Service) changeSwitch(ctx context.Context, call store.Call, decide func(t *store.Txn) (netmodel.Switch, error)) (netmodel.SwitchView, error) {
	sw, err := store.Do(ctx, s.store, call, wire.SwitchCodec, store.Settled(s.store, decide))
	if err != nil {
		return netmodel.SwitchView{}, err
	}
	var view netmodel.SwitchView
	s.store.Read(func(d *store.Data) { view = SwitchView(d, sw) })
	return view, nil
}

func (s *Service) decideCreate(d *store.Data, t *store.Txn, sw netmodel.Switch) (netmodel.Switch, error) {
	if err := collide(d, sw); err != nil {
		return sw, err
	}
	n, err := asn(d, sw)
	if err != nil {
		return sw, err
	}
	sw.ASN, sw.CreateTime = n, s.store.Now()
	key := keys.Switch(sw.ID)
	t.Absent(key)
	store.Put(t, key, wire.SwitchCodec, sw)
	s.putConfig(d, t, sw)
	for i, p := range machinePorts(sw) {
		if i < maxPorts {
			newIntent(d, t, sw.ID, p)
		}
	}
	return sw, nil
}

// putConfig writes a switch's configuration if it differs from what is stored.
func (s *Service) putConfig(d *store.Data, t *store.Txn, sw netmodel.Switch) {
	key := keys.SwitchConfig(sw.ID)
	stored := d.Configs[sw.ID]
	config := compile.Config(sw, s.store.UUID())
	t.Unchanged(key, stored.ModRevision)
	if stored.ModRevision != 0 && compile.SameConfig(stored.Value, config) {
		return
	}
	config.Generation = stored.Value.Generation + 1
	store.Put(t, key, wire.SwitchConfigCodec, config)
}

// newIntent puts a port that was not registered into provisioning. Its generation is beyond whatever its agent once reported of
// a port of this name, so that an old report proves nothing.
func newIntent(d *store.Data, t *store.Txn, sw, port string) {
	at := store.Port{Switch: sw, Port: port}
	if _, ok := d.Intents[at]; ok {
		return
	}
	intent := compile.Port(sw, port, nil, nil)
	intent.Generation = d.PortStatuses.Value(at).AppliedGeneration + 1
	key := keys.PortIntent(sw, port)
	t.Absent(key)
	store.Put(t, key, wire.PortIntentCodec, intent)
}

// UpdateSwitch changes description, ports or MTU. A port that is allocated, or has to prove a release, stays.
func (s *Service) UpdateSwitch(ctx context.Context, call store.Call, u SwitchUpdate) (netmodel.SwitchView, error) {
	return s.changeSwitch(ctx, call, func(t *store.Txn) (netmodel.Switch, error) {
		var changed netmodel.Switch
		var err error
		s.store.Read(func(d *store.Data) { changed, err = s.decideUpdate(d, t, u) })
		return changed, err
	})
}

func (s *Service) decideUpdate(d *store.Data, t *store.Txn, u SwitchUpdate) (netmodel.Switch, error) {
	o, ok := d.Switches[u.ID]
	if !ok {
		return o.Value, unknownSwitch(u.ID)
	}
	if err := store.Expect(o, u.Revision); err != nil {
		return o.Value, err
	}
	sw := o.Value
	if u.Description != nil {
		sw.Description = *u.Description
	}
	if u.MTU != nil {
		sw.MTU = *u.MTU
	}
	if u.Ports != nil {
		sw.Ports = slices.SortedFunc(slices.Values(*u.Ports), comparePorts)
	}
	if err := check(sw); err != nil {
		return sw, err
	}
	if err := replacePorts(d, t, o.Value, sw); err != nil {
		return sw, err
	}
	key := keys.Switch(sw.ID)
	t.Unchanged(key, o.ModRevision)
	t.Before(key, o.Raw)
	store.Put(t, key, wire.SwitchCodec, sw)
	s.putConfig(d, t, sw)
	return sw, nil
}

// replacePorts deletes the intents of machine ports that go, and writes those of ports that come.
func replacePorts(d *store.Data, t *store.Txn, before, after netmodel.Switch) error {
	had, has := machinePorts(before), machinePorts(after)
	for _, p := range had {
		if slices.Contains(has, p) {
			continue
		}
		if err := idle(d, t, before.ID, p); err != nil {
			return err
		}
		if t.Size() < maxPorts {
			t.Delete(keys.PortIntent(before.ID, p))
		}
	}
	for _, p := range has {
		if !slices.Contains(had, p) && t.Size() < maxPorts {
			newIntent(d, t, after.ID, p)
		}
	}
	return nil
}

// idle refuses to remove a port that somebody depends on, and has the transaction prove that this stays so.
func idle(d *store.Data, t *store.Txn, sw, port string) error {
	at := store.Port{Switch: sw, Port: port}
	o := d.Intents[at]
	if o.Value.Allocation != "" {
		return store.Refuse(store.Precondition, "port %s of switch %q carries allocation %q; release that first", port, sw, o.Value.Allocation)
	}
	for _, m := range d.Machines {
		for _, p := range m.Value.PendingRelease {
			if p.Switch == sw && p.Port == port && d.PortStatuses.Value(at).AppliedGeneration < p.Generation {
				return store.Refuse(store.Precondition, "port %s of switch %q has yet to prove the release of machine %q; wait, or override that release", port, sw, m.Value.ID)
			}
		}
	}
	if t.Size() < maxPorts {
		t.Unchanged(keys.PortIntent(sw, port), o.ModRevision)
	}
	return nil
}

// DeleteSwitch refuses while a port of it is allocated, or has to prove a release. Its agent keeps what it has: a missing
// configuration dismantles nothing.
func (s *Service) DeleteSwitch(ctx context.Context, call store.Call, id string) error {
	_, err := s.changeSwitch(ctx, call, func(t *store.Txn) (netmodel.Switch, error) {
		t.UnchangedRange(keys.PortIntents(id), s.store.Revision())
		var gone netmodel.Switch
		var err error
		s.store.Read(func(d *store.Data) { gone, err = decideDelete(d, t, id) })
		return gone, err
	})
	return err
}

func decideDelete(d *store.Data, t *store.Txn, id string) (netmodel.Switch, error) {
	o, ok := d.Switches[id]
	if !ok {
		return o.Value, unknownSwitch(id)
	}
	key := keys.Switch(id)
	t.Unchanged(key, o.ModRevision)
	t.Unchanged(keys.SwitchConfig(id), d.Configs[id].ModRevision)
	t.Before(key, o.Raw)
	t.Delete(key)
	t.Delete(keys.SwitchConfig(id))
	if err := replacePorts(d, t, o.Value, netmodel.Switch{ID: id}); err != nil {
		return o.Value, err
	}
	return o.Value, nil
}

func unknownSwitch(id string) error {
	return store.Refuse(store.NotFound, "there is no switch %q", id)
}

func machinePorts(sw netmodel.Switch) []string {
	var out []string
	for _, p := range sw.Ports {
		if p.Role == netmodel.PortMachine {
			out = append(out, p.Name)
		}
	}
	return out
}

// comparePorts sorts swp2 before swp10.
func comparePorts(a, b netmodel.SwitchPort) int {
	return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name))
}
