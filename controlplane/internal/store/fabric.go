package store

import (
	"github.com/pointsman/pointsman/controlplane/internal/discover"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Fabric is what discovery looks at.
func (d *Data) Fabric() discover.Fabric {
	f := discover.Fabric{
		Switches: values(d.Switches), Machines: values(d.Machines), Allocations: map[string]netmodel.Allocation{},
		Intents: onPorts(d.Intents), Discoveries: onPorts(d.Discoveries), Statuses: onPorts(d.PortStatuses),
		Agents: values(d.SwitchStatuses), Alive: map[string]bool{},
	}
	for _, o := range d.Allocations {
		f.Allocations[o.Value.Machine] = o.Value
	}
	for sw := range d.Alive {
		f.Alive[sw] = true
	}
	return f
}

func values[K comparable, V any](t Table[K, V]) map[K]V {
	out := make(map[K]V, len(t))
	for k, o := range t {
		out[k] = o.Value
	}
	return out
}

func onPorts[V any](t Table[Port, V]) map[discover.Port]V {
	out := make(map[discover.Port]V, len(t))
	for k, o := range t {
		out[discover.Port(k)] = o.Value
	}
	return out
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
