package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// AddVRF creates a VRF and sets it up.
type AddVRF struct {
	Name  string
	Table uint32
	For
}

func (o AddVRF) String() string { return fmt.Sprintf("add vrf %s table %d", o.Name, o.Table) }

func (o AddVRF) links() (needs, marks []Thing) { return nil, []Thing{Thing(o.Name)} }

// AddUnreachable adds the unreachable default that ends a VRF's table. No port enters the VRF before.
type AddUnreachable struct {
	VRF   string
	Route DefaultRoute
	For
}

func (o AddUnreachable) String() string {
	return fmt.Sprintf("add unreachable %s default to table %d of %s", o.Route.Family, o.Route.Table, o.VRF)
}

func (o AddUnreachable) links() (needs, marks []Thing) {
	return []Thing{Thing(o.VRF)}, []Thing{Thing(o.VRF)}
}

// DeleteVRF deletes a VRF that no port is in any more.
type DeleteVRF struct {
	Name string
	For
}

func (o DeleteVRF) String() string { return "delete vrf " + o.Name }

func (o DeleteVRF) links() (needs, marks []Thing) {
	return []Thing{Thing(o.Name), left(o.Name)}, []Thing{Thing(o.Name)}
}

// DeleteUnreachable deletes the unreachable default of a table that no VRF of ours uses any more.
type DeleteUnreachable struct {
	Route DefaultRoute
	For
}

func (o DeleteUnreachable) String() string {
	return fmt.Sprintf("delete unreachable %s default from table %d", o.Route.Family, o.Route.Table)
}

// desireVRFs adds the provisioning VRF and those of the tenants, each with a table of its own that ends in unreachable defaults.
func (b *build) desireVRFs() error {
	held := b.facts.Assigned.Tables
	tables, err := assign(slices.Sorted(maps.Keys(b.tenants)), held, b.facts.TakenTables, b.ranges.FirstTable+1, b.ranges.LastTable)
	if err != nil {
		return fmt.Errorf("choose table of VRF: %w", err)
	}
	if b.provisioning() {
		own, err := assign([]string{ProvisionVRF}, held, b.facts.TakenTables, b.ranges.FirstTable, b.ranges.FirstTable)
		if err != nil {
			return fmt.Errorf("choose table of VRF: %w", err)
		}
		maps.Copy(tables, own)
	}
	b.assigned.Tables = tables
	for name, table := range tables {
		b.kernel.VRFs[name] = VRF{Table: table, Up: true}
		for _, family := range []Family{IPv4, IPv6} {
			b.kernel.Unreachable[DefaultRoute{table, family}] = true
		}
	}
	return nil
}

// assign gives each key the number that it holds, or else the lowest of the range that nobody holds or is about to give back.
func assign[K comparable, N uint16 | uint32](keys []K, held map[K]N, taken []N, first, last N) (map[K]N, error) {
	used := map[N]bool{}
	for _, n := range taken {
		used[n] = true
	}
	for _, n := range held {
		used[n] = true
	}
	out, next := map[K]N{}, first
	for _, key := range keys {
		if n, ok := held[key]; ok {
			out[key] = n
			continue
		}
		for next <= last && used[next] {
			next++
		}
		if next > last {
			return nil, fmt.Errorf("none of %d-%d is free for %v", first, last, key)
		}
		used[next] = true
		out[key] = next
	}
	return out, nil
}

func (d *difference) vrfs() {
	for _, name := range slices.Sorted(maps.Keys(d.want.VRFs)) {
		want := d.want.VRFs[name]
		ports := d.portsIn(name)
		have, ok := d.have.VRFs[name]
		if !ok {
			d.add(AddVRF{name, want.Table, ports})
		} else if !have.Up {
			d.add(SetUp{Device: name, Up: true, For: ports})
		}
		for _, family := range []Family{IPv4, IPv6} {
			route := DefaultRoute{want.Table, family}
			if !ok || d.knows(PartRoutes) && !d.have.Unreachable[route] {
				d.add(AddUnreachable{name, route, ports})
			}
		}
	}
}

// staleVRFs deletes VRFs that nobody asks for.
func (d *difference) staleVRFs() {
	for _, name := range slices.Sorted(maps.Keys(d.have.VRFs)) {
		if _, wanted := d.want.VRFs[name]; !wanted {
			d.remove(DeleteVRF{Name: name})
		}
	}
	for _, route := range slices.SortedFunc(maps.Keys(d.have.Unreachable), compareRoutes) {
		if !d.want.Unreachable[route] {
			d.remove(DeleteUnreachable{Route: route})
		}
	}
}

func compareRoutes(a, b DefaultRoute) int {
	return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Family, b.Family))
}
