package api

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/pointsman/pointsman/controlplane/internal/allocate"
	"github.com/pointsman/pointsman/controlplane/internal/inventory"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// kinds are the collections of all resources.
type kinds struct {
	networks    *collection[*apiv1.Network]
	ips         *collection[*apiv1.IP]
	machines    *collection[*apiv1.Machine]
	switches    *collection[*apiv1.Switch]
	allocations *collection[*apiv1.Allocation]
}

// reported is where switches' states and what agents say of them are kept.
var reported = []string{keys.Switches, keys.Intents, keys.Discoveries, keys.Statuses}

func newKinds(s *store.Store) kinds {
	network := func(_ *store.Data, o store.Object[netmodel.Network]) *apiv1.Network {
		m := wire.NetworkToProto(o.Value)
		m.ResourceVersion = s.Version(o.ModRevision)
		return m
	}
	ip := func(_ *store.Data, o store.Object[netmodel.IP]) *apiv1.IP {
		m := wire.IPToProto(o.Value)
		m.ResourceVersion = s.Version(o.ModRevision)
		return m
	}
	sw := func(d *store.Data, o store.Object[netmodel.Switch]) *apiv1.Switch {
		m := wire.SwitchViewToProto(inventory.SwitchView(d, o.Value))
		m.ResourceVersion = s.Version(o.ModRevision)
		return m
	}
	allocation := func(d *store.Data, o store.Object[netmodel.Allocation]) *apiv1.Allocation {
		m := wire.AllocationViewToProto(allocate.View(d, o.Value))
		m.ResourceVersion = s.Version(o.ModRevision)
		return m
	}
	machine := func(d *store.Data, view netmodel.MachineView) *apiv1.Machine {
		m := wire.MachineViewToProto(view)
		m.ResourceVersion = s.Version(d.Machines[view.ID].ModRevision)
		return m
	}
	return kinds{
		networks: tabled(s, []string{keys.Networks}, func(d *store.Data) store.Table[store.Named, netmodel.Network] { return d.Networks },
			compareNamed, named, parseNamed, network),
		ips: tabled(s, []string{keys.IPs}, func(d *store.Data) store.Table[store.Address, netmodel.IP] { return d.IPs },
			compareAddresses, addressName, parseAddressName, ip),
		switches: tabled(s, reported, func(d *store.Data) store.Table[string, netmodel.Switch] { return d.Switches },
			cmp.Compare[string], same, same, sw),
		// A receipt that is not complete says what it waits for, which takes all that switches report.
		allocations: tabled(s, append([]string{keys.Allocations, keys.Receipts, keys.Networks}, reported...),
			func(d *store.Data) store.Table[store.Named, netmodel.Allocation] { return d.Allocations }, compareNamed, named, parseNamed, allocation),
		machines: &collection[*apiv1.Machine]{
			store: s, roots: append([]string{keys.Machines, keys.Allocations}, reported...),
			show: func(d *store.Data) []*object[*apiv1.Machine] { return machines(d, machine) },
			one: func(d *store.Data, id string) (*apiv1.Machine, bool) {
				view, ok := d.Index.One(id)
				if !ok {
					return nil, false
				}
				return machine(d, view), true
			},
		},
	}
}

// tabled is the collection of a kind that is a table of the store.
func tabled[K comparable, V any, M proto.Message](s *store.Store, roots []string, table func(*store.Data) store.Table[K, V], order func(a, b K) int,
	name func(K) string, parse func(string) K, show func(*store.Data, store.Object[V]) M) *collection[M] {
	return &collection[M]{
		store: s, roots: roots,
		show: func(d *store.Data) []*object[M] {
			t := table(d)
			sorted := slices.SortedFunc(maps.Keys(t), order)
			out := make([]*object[M], 0, len(sorted))
			for _, k := range sorted {
				out = append(out, &object[M]{name: name(k), created: t[k].CreateRevision, message: show(d, t[k])})
			}
			return out
		},
		one: func(d *store.Data, name string) (M, bool) {
			o, ok := table(d)[parse(name)]
			if !ok {
				return *new(M), false
			}
			return show(d, o), true
		},
	}
}

// machines are those of the inventory, then those that are only discovered, by the identity that tells them apart.
func machines(d *store.Data, show func(*store.Data, netmodel.MachineView) *apiv1.Machine) []*object[*apiv1.Machine] {
	all := d.Index.Machines()
	out := make([]*object[*apiv1.Machine], 0, len(all))
	for _, view := range all {
		name := cmp.Or(view.ID, "discovered/"+cmp.Or(view.SystemUUID, view.ChassisMAC))
		out = append(out, &object[*apiv1.Machine]{name: name, created: d.Machines[view.ID].CreateRevision, message: show(d, view)})
	}
	return out
}

func same(id string) string { return id }

func named(n store.Named) string { return n.Project + "/" + n.ID }

func parseNamed(name string) store.Named {
	project, id, _ := strings.Cut(name, "/")
	return store.Named{Project: project, ID: id}
}

func addressName(a store.Address) string { return a.Network + "/" + a.Address.String() }

func parseAddressName(name string) store.Address {
	network, text, _ := strings.Cut(name, "/")
	address, _ := netip.ParseAddr(text) // one that is none is in no table
	return store.Address{Network: network, Address: address}
}

func compareNamed(a, b store.Named) int {
	return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.ID, b.ID))
}

func compareAddresses(a, b store.Address) int {
	return cmp.Or(cmp.Compare(a.Network, b.Network), a.Address.Compare(b.Address))
}
