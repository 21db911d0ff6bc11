package discover

import (
	"slices"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Each of these notes a change; nil is that it is gone. Settle makes the views follow.

// Switch notes a switch.
func (x *Index) Switch(id string, v *netmodel.Switch) {
	x.dirtyUplinks(id)
	keep(x.f.Switches, id, v)
	x.dirtyUplinks(id)
	x.dirtySwitch(id)
	x.dirtySaid(named(id)) // a neighbour of that name is, or is no longer, a switch
}

// dirtyUplinks: whether a port is an uplink decides whether what it hears counts.
func (x *Index) dirtyUplinks(id string) {
	for _, p := range x.f.Switches[id].Ports {
		x.dirtyPort(Port{id, p.Name})
	}
}

// Agent notes what a switch's agent says of itself.
func (x *Index) Agent(sw string, v *netmodel.SwitchStatus) {
	keep(x.f.Agents, sw, v)
	x.dirtySwitch(sw)
}

// Alive notes whether a switch's heartbeat is valid.
func (x *Index) Alive(sw string, alive bool) {
	if x.f.Alive[sw] == alive {
		return // each heartbeat that begins anew would look at all machines of the switch
	}
	if alive {
		x.f.Alive[sw] = true
	} else {
		delete(x.f.Alive, sw)
	}
	x.dirtySwitch(sw)
}

// Intent notes a port's intent.
func (x *Index) Intent(p Port, v *netmodel.PortIntent) {
	keep(x.f.Intents, p, v)
	x.dirtyPort(p)
}

// Status notes an agent's report on a port.
func (x *Index) Status(p Port, v *netmodel.PortStatus) {
	keep(x.f.Statuses, p, v)
	x.dirtyLookers(p)
}

// Discovery notes what a port hears.
func (x *Index) Discovery(p Port, v *netmodel.Discovery) {
	for _, n := range x.f.Discoveries[p].Neighbours {
		for _, t := range Identify(n).says() {
			drop(x.said, t, p)
		}
	}
	keep(x.f.Discoveries, p, v)
	for _, n := range x.f.Discoveries[p].Neighbours {
		for _, t := range Identify(n).says() {
			add(x.said, t, p)
		}
	}
	x.dirtyPort(p)
}

// Machine notes an adopted machine. Ports that hear an identity that it had or has are sorted anew.
func (x *Index) Machine(id string, v *netmodel.Machine) {
	for _, t := range tokens(x.f.Machines[id]) {
		x.names[t] = slices.DeleteFunc(x.names[t], func(other string) bool { return other == id })
		if len(x.names[t]) == 0 {
			delete(x.names, t)
		}
		x.dirtySaid(t)
	}
	keep(x.f.Machines, id, v)
	for _, t := range tokens(x.f.Machines[id]) {
		if i, found := slices.BinarySearch(x.names[t], id); !found {
			x.names[t] = slices.Insert(x.names[t], i, id)
		}
		x.dirtySaid(t)
	}
	x.dirtyMachines[id] = true
}

// Allocation notes that an allocation was before and is after; nil is absent.
func (x *Index) Allocation(before, after *netmodel.Allocation) {
	if before != nil {
		if x.f.Allocations[before.Machine].ID == before.ID {
			delete(x.f.Allocations, before.Machine)
		}
		for _, p := range before.Ports {
			if port := (Port{p.Switch, p.Port}); x.owners[port] == before.Machine {
				delete(x.owners, port)
				x.dirtyPort(port)
			}
		}
		x.dirtyMachines[before.Machine] = true
	}
	if after != nil {
		x.f.Allocations[after.Machine] = *after
		for _, p := range after.Ports {
			x.owners[Port{p.Switch, p.Port}] = after.Machine
			x.dirtyPort(Port{p.Switch, p.Port})
		}
		x.dirtyMachines[after.Machine] = true
	}
}

func (x *Index) dirtySwitch(sw string) {
	for port := range x.seen[sw] {
		x.dirtyLookers(port)
	}
}

func (x *Index) dirtySaid(t token) {
	for port := range x.said[t] {
		x.dirtyPorts[port] = true
	}
}

func (x *Index) dirtyPort(p Port) {
	x.dirtyPorts[p] = true
	x.dirtyLookers(p)
}

func (x *Index) dirtyLookers(p Port) {
	for _, id := range x.seen[p.Switch][p] {
		x.dirtyMachines[id] = true
	}
}

// Settle computes anew what the changes since the last time concern.
func (x *Index) Settle() {
	for port := range x.dirtyPorts {
		x.listen(port)
	}
	clear(x.dirtyPorts)
	for id := range x.dirtyMachines {
		x.show(id)
	}
	clear(x.dirtyMachines)
}

// listen sorts what a port hears.
func (x *Index) listen(port Port) {
	for _, n := range x.heard[port] {
		drop(x.at, n.to, port)
		x.dirtyMachines[n.to.machine] = true
	}
	delete(x.heard, port)
	for _, c := range x.f.heardOn(port) {
		id, known := x.find(c.identity)
		t, counts := x.f.sort(port, c.identity, id, known, x.owners[port])
		if !counts {
			continue
		}
		x.heard[port] = append(x.heard[port], sorted{t, c})
		add(x.at, t, port)
		x.dirtyMachines[t.machine] = true
	}
}

// show computes a machine's view, and notes which ports it looks at.
func (x *Index) show(id string) {
	for _, p := range x.looks[id] {
		x.unsee(p, id)
	}
	delete(x.looks, id)
	if v, ok := x.views[id]; ok {
		x.notFree(v.Rack, id)
		delete(x.views, id)
	}
	m, ok := x.f.Machines[id]
	if !ok {
		return
	}
	claims := x.claimsFor(target{machine: id})
	for _, p := range x.lookedAt(m, claims) {
		ports := x.seen[p.Switch]
		if ports == nil {
			ports = map[Port][]string{}
			x.seen[p.Switch] = ports
		}
		ports[p] = append(ports[p], id)
		x.looks[id] = append(x.looks[id], p)
	}
	v := x.f.view(m, claims)
	x.views[id] = v
	if v.State == netmodel.MachineFree {
		i, _ := slices.BinarySearch(x.free[v.Rack], id)
		x.free[v.Rack] = slices.Insert(x.free[v.Rack], i, id)
	}
}

func (x *Index) notFree(rack, id string) {
	i, found := slices.BinarySearch(x.free[rack], id)
	if !found {
		return
	}
	if x.free[rack] = slices.Delete(x.free[rack], i, i+1); len(x.free[rack]) == 0 {
		delete(x.free, rack)
	}
}

// lookedAt are the ports that a machine's view depends on, each once.
func (x *Index) lookedAt(m netmodel.Machine, claims []claim) []Port {
	var out []Port
	for _, c := range claims {
		out = append(out, c.port)
	}
	if a, b, ok := x.f.mirrors(claims); ok {
		out = append(out, a, b)
	}
	for _, p := range x.f.Allocations[m.ID].Ports {
		out = append(out, Port{p.Switch, p.Port})
	}
	for _, p := range m.PendingRelease {
		out = append(out, Port{p.Switch, p.Port})
	}
	slices.SortFunc(out, comparePorts)
	return slices.Compact(out)
}

func (x *Index) unsee(p Port, id string) {
	ports := x.seen[p.Switch]
	ports[p] = slices.DeleteFunc(ports[p], func(other string) bool { return other == id })
	if len(ports[p]) == 0 {
		delete(ports, p)
	}
	if len(ports) == 0 {
		delete(x.seen, p.Switch)
	}
}

func keep[K comparable, V any](m map[K]V, k K, v *V) {
	if v == nil {
		delete(m, k)
	} else {
		m[k] = *v
	}
}

func add[K, V comparable](m map[K]map[V]bool, k K, v V) {
	if m[k] == nil {
		m[k] = map[V]bool{}
	}
	m[k][v] = true
}

func drop[K, V comparable](m map[K]map[V]bool, k K, v V) {
	delete(m[k], v)
	if len(m[k]) == 0 {
		delete(m, k)
	}
}
