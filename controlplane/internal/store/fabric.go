package store

import (
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/pointsman/pointsman/controlplane/internal/discover"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Crowd names the machines of a project in a network and a rack.
type Crowd struct{ Project, Network, Rack string }

// SwitchVRF names a VRF of a border.
type SwitchVRF struct{ Switch, VRF string }

// External is the intent of an external port, nil if its switch has no VRF for it: taken out of that of the VRF.
func (d *Data) External(p Port) *netmodel.PortIntent {
	for at, o := range d.VRFs {
		if at.Switch != p.Switch {
			continue
		}
		for _, intent := range o.Value.Ports() {
			if intent.Port == p.Port {
				return &intent
			}
		}
	}
	return nil
}

// setSwitch, and those below, bring a key into its table and tell the index of machines.
func (d *Data) setSwitch(id string, kv *mvccpb.KeyValue, deleted bool) error {
	defer func() { d.Index.Switch(id, known(d.Switches, id)) }()
	return set(d.Switches, id, kv, deleted, wire.SwitchCodec)
}

func (d *Data) setMachine(id string, kv *mvccpb.KeyValue, deleted bool) error {
	defer func() { d.Index.Machine(id, known(d.Machines, id)) }()
	return set(d.Machines, id, kv, deleted, wire.MachineCodec)
}

func (d *Data) setAllocation(k Named, kv *mvccpb.KeyValue, deleted bool) error {
	before := known(d.Allocations, k)
	err := set(d.Allocations, k, kv, deleted, wire.AllocationCodec)
	after := known(d.Allocations, k)
	d.Index.Allocation(before, after)
	d.count(before, -1)
	d.count(after, 1)
	return err
}

func (d *Data) count(a *netmodel.Allocation, by int) {
	if a == nil || len(a.Attachments) == 0 {
		return
	}
	c := Crowd{a.Project, a.Attachments[0].Network, a.Rack}
	if d.Crowds[c] += by; d.Crowds[c] == 0 {
		delete(d.Crowds, c)
	}
}

func (d *Data) setIntent(p Port, kv *mvccpb.KeyValue, deleted bool) error {
	defer func() { d.Index.Intent(discover.Port(p), known(d.Intents, p)) }()
	return set(d.Intents, p, kv, deleted, wire.PortIntentCodec)
}

func (d *Data) setDiscovery(p Port, kv *mvccpb.KeyValue, deleted bool) error {
	defer func() { d.Index.Discovery(discover.Port(p), known(d.Discoveries, p)) }()
	return set(d.Discoveries, p, kv, deleted, wire.DiscoveryCodec)
}

func (d *Data) setPortStatus(p Port, kv *mvccpb.KeyValue, deleted bool) error {
	defer func() { d.Index.Status(discover.Port(p), known(d.PortStatuses, p)) }()
	return set(d.PortStatuses, p, kv, deleted, wire.PortStatusCodec)
}

func (d *Data) setAgent(sw string, kv *mvccpb.KeyValue, deleted bool) error {
	defer func() { d.Index.Agent(sw, known(d.SwitchStatuses, sw)) }()
	return set(d.SwitchStatuses, sw, kv, deleted, wire.SwitchStatusCodec)
}

func (d *Data) setAlive(sw string, kv *mvccpb.KeyValue, deleted bool) error {
	defer func() { d.Index.Alive(sw, known(d.Alive, sw) != nil) }()
	return set(d.Alive, sw, kv, deleted, wire.AliveCodec)
}

// known is a copy of a value, nil if there is none.
func known[K comparable, V any](t Table[K, V], k K) *V {
	o, ok := t[k]
	if !ok {
		return nil
	}
	return &o.Value
}

// Network is what a project means by a network's id: its own, or one that others share with it.
func (d *Data) Network(project, id string) (Object[netmodel.Network], bool) {
	if o, ok := d.Networks[Named{project, id}]; ok {
		return o, true
	}
	for k, o := range d.Networks {
		if k.ID == id && (o.Value.Kind == netmodel.NetworkShared || o.Value.Kind == netmodel.NetworkExternal || o.Value.Kind == netmodel.NetworkPool) {
			return o, true
		}
	}
	return Object[netmodel.Network]{}, false
}
