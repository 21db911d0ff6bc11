package store

import (
	"net/netip"
	"strconv"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/pointsman/pointsman/controlplane/internal/discover"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Object is a value with its place in etcd's history.
type Object[V any] struct {
	Value          V
	ModRevision    int64
	CreateRevision int64
	Raw            []byte
}

// Port names a port of a switch.
type Port struct{ Switch, Port string }

// Named is something of a project.
type Named struct{ Project, ID string }

// Reported is an agent's report on an allocation.
type Reported struct{ Switch, Allocation string }

// Address is an address in a network.
type Address struct {
	Network string
	Address netip.Addr
}

// Table is the cache of one kind.
type Table[K comparable, V any] map[K]Object[V]

// Value is the value at a key, or the zero value.
func (t Table[K, V]) Value(k K) V { return t[k].Value }

// Held is a number in use or resting.
type Held struct {
	State      netmodel.IPState
	Project    string
	Allocation string
	Network    string
}

// Data is everything that is cached, at one revision.
type Data struct {
	// Revision of etcd up to which this is complete.
	Revision int64

	Networks       Table[Named, netmodel.Network]
	Allocations    Table[Named, netmodel.Allocation]
	Switches       Table[string, netmodel.Switch]
	Machines       Table[string, netmodel.Machine]
	IPs            Table[Address, netmodel.IP]
	ASNs           Table[netmodel.ASN, Held]
	VNIs           Table[netmodel.VNI, Held]
	Configs        Table[string, netmodel.SwitchConfig]
	Intents        Table[Port, netmodel.PortIntent]
	VRFs           Table[SwitchVRF, netmodel.VRFIntent]
	Probes         Table[Reported, netmodel.Probe]
	Receipts       Table[string, netmodel.Receipt]
	Discoveries    Table[Port, netmodel.Discovery]
	Alive          Table[string, netmodel.Alive]
	SwitchStatuses Table[string, netmodel.SwitchStatus]
	PortStatuses   Table[Port, netmodel.PortStatus]
	Sessions       Table[Port, netmodel.SessionStatus]
	ProbeStatuses  Table[Reported, netmodel.ProbeStatus]

	// Free numbers, kept beside what is held.
	Pools *Pools
	// Views of machines, kept beside what they are computed from.
	Index *discover.Index
	// How many machines a project has in a network, by rack.
	Crowds map[Crowd]int
}

func newData() *Data {
	return &Data{
		Networks: Table[Named, netmodel.Network]{}, Allocations: Table[Named, netmodel.Allocation]{}, Switches: Table[string, netmodel.Switch]{},
		Machines: Table[string, netmodel.Machine]{}, IPs: Table[Address, netmodel.IP]{}, ASNs: Table[netmodel.ASN, Held]{}, VNIs: Table[netmodel.VNI, Held]{},
		Configs: Table[string, netmodel.SwitchConfig]{}, Intents: Table[Port, netmodel.PortIntent]{}, VRFs: Table[SwitchVRF, netmodel.VRFIntent]{}, Probes: Table[Reported, netmodel.Probe]{},
		Receipts: Table[string, netmodel.Receipt]{}, Discoveries: Table[Port, netmodel.Discovery]{}, Alive: Table[string, netmodel.Alive]{},
		SwitchStatuses: Table[string, netmodel.SwitchStatus]{}, PortStatuses: Table[Port, netmodel.PortStatus]{}, Sessions: Table[Port, netmodel.SessionStatus]{},
		ProbeStatuses: Table[Reported, netmodel.ProbeStatus]{}, Pools: newPools(), Index: discover.NewIndex(), Crowds: map[Crowd]int{},
	}
}

// apply brings one key up to date. Keys of other kinds (requests, changes) are not cached.
func (d *Data) apply(kv *mvccpb.KeyValue, deleted bool) error {
	key := string(kv.Key)
	switch {
	case under(key, keys.Networks, 2):
		return d.applyNetwork(kv, deleted)
	case under(key, keys.Allocations, 2):
		return d.setAllocation(named(keys.Split(keys.Allocations, key)), kv, deleted)
	case under(key, keys.Switches, 1):
		return d.setSwitch(keys.Split(keys.Switches, key)[0], kv, deleted)
	case under(key, keys.Machines, 1):
		return d.setMachine(keys.Split(keys.Machines, key)[0], kv, deleted)
	case under(key, keys.IPs, 2):
		return d.applyIP(keys.Split(keys.IPs, key), kv, deleted)
	case under(key, keys.ASNs, 1):
		return applyNumber(d.ASNs, d.Pools.ASNs, keys.Split(keys.ASNs, key)[0], kv, deleted)
	case under(key, keys.VNIs, 1):
		return applyNumber(d.VNIs, d.Pools.VNIs, keys.Split(keys.VNIs, key)[0], kv, deleted)
	case under(key, keys.Receipts, 1):
		return set(d.Receipts, keys.Split(keys.Receipts, key)[0], kv, deleted, wire.ReceiptCodec)
	case under(key, keys.Discoveries, 2):
		p := keys.Split(keys.Discoveries, key)
		return d.setDiscovery(Port{p[0], p[1]}, kv, deleted)
	case under(key, keys.Intents, 0):
		return d.applyIntent(keys.Split(keys.Intents, key), kv, deleted)
	case under(key, keys.Statuses, 0):
		return d.applyStatus(keys.Split(keys.Statuses, key), kv, deleted)
	}
	return nil
}

// under says whether key is below root with exactly n parts; 0 is any number.
func under(key, root string, n int) bool {
	parts := keys.Split(root, key)
	return len(parts) > 0 && (n == 0 || len(parts) == n)
}

func named(parts []string) Named { return Named{parts[0], parts[1]} }

func (d *Data) applyIntent(parts []string, kv *mvccpb.KeyValue, deleted bool) error {
	switch {
	case len(parts) == 2 && parts[1] == "config":
		return set(d.Configs, parts[0], kv, deleted, wire.SwitchConfigCodec)
	case len(parts) == 3 && parts[1] == "ports":
		return d.setIntent(Port{parts[0], parts[2]}, kv, deleted)
	case len(parts) == 3 && parts[1] == "vrfs":
		return set(d.VRFs, SwitchVRF{parts[0], parts[2]}, kv, deleted, wire.VRFIntentCodec)
	case len(parts) == 3 && parts[1] == "probes":
		return set(d.Probes, Reported{parts[0], parts[2]}, kv, deleted, wire.ProbeCodec)
	}
	return nil
}

func (d *Data) applyStatus(parts []string, kv *mvccpb.KeyValue, deleted bool) error {
	switch {
	case len(parts) == 2 && parts[1] == "alive":
		return d.setAlive(parts[0], kv, deleted)
	case len(parts) == 2 && parts[1] == "agent":
		return d.setAgent(parts[0], kv, deleted)
	case len(parts) == 3 && parts[1] == "ports":
		return d.setPortStatus(Port{parts[0], parts[2]}, kv, deleted)
	case len(parts) == 3 && parts[1] == "sessions":
		return set(d.Sessions, Port{parts[0], parts[2]}, kv, deleted, wire.SessionStatusCodec)
	case len(parts) == 3 && parts[1] == "probes":
		return set(d.ProbeStatuses, Reported{parts[0], parts[2]}, kv, deleted, wire.ProbeStatusCodec)
	}
	return nil
}

func set[K comparable, V any](t Table[K, V], k K, kv *mvccpb.KeyValue, deleted bool, codec wire.Codec[V]) error {
	if deleted {
		delete(t, k)
		return nil
	}
	v, err := codec.Decode(kv.Value)
	if err != nil {
		return err
	}
	t[k] = Object[V]{Value: v, ModRevision: kv.ModRevision, CreateRevision: kv.CreateRevision, Raw: kv.Value}
	return nil
}

func (d *Data) applyNetwork(kv *mvccpb.KeyValue, deleted bool) error {
	k := named(keys.Split(keys.Networks, string(kv.Key)))
	if err := set(d.Networks, k, kv, deleted, wire.NetworkCodec); err != nil {
		return err
	}
	if deleted {
		d.Pools.dropNetwork(k.ID)
		return nil
	}
	if n := d.Networks.Value(k); n.Kind != netmodel.NetworkPool {
		// Addresses that were listed before their network are held in its pools too.
		d.Pools.addNetwork(k.ID, n.Prefixes, d.IPs)
	}
	return nil
}

func (d *Data) applyIP(parts []string, kv *mvccpb.KeyValue, deleted bool) error {
	a, err := netip.ParseAddr(parts[1])
	if err != nil {
		return err
	}
	k := Address{parts[0], a}
	if err := set(d.IPs, k, kv, deleted, wire.IPCodec); err != nil {
		return err
	}
	d.Pools.mark(k, !deleted)
	return nil
}

func applyNumber[N ~uint32](t Table[N, Held], pool NumberPool, text string, kv *mvccpb.KeyValue, deleted bool) error {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return err
	}
	if err := set(t, N(n), kv, deleted, HeldCodec); err != nil {
		return err
	}
	pool.Mark(uint32(n), !deleted)
	return nil
}
