package inventory

import (
	"cmp"
	"slices"

	"github.com/pointsman/pointsman/controlplane/internal/discover"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// GetSwitch returns a switch with what its agent says.
func (s *Service) GetSwitch(id string) (netmodel.SwitchView, error) {
	var view netmodel.SwitchView
	var ok bool
	s.store.Read(func(d *store.Data) {
		var o store.Object[netmodel.Switch]
		if o, ok = d.Switches[id]; ok {
			view = SwitchView(d, o.Value)
		}
	})
	if !ok {
		return view, unknownSwitch(id)
	}
	return view, nil
}

// ListSwitches returns switches sorted by id; empty role or rack is any.
func (s *Service) ListSwitches(role netmodel.SwitchRole, rack string) []netmodel.SwitchView {
	var out []netmodel.SwitchView
	s.store.Read(func(d *store.Data) {
		for _, o := range d.Switches {
			if (role == "" || o.Value.Role == role) && (rack == "" || o.Value.Rack == rack) {
				out = append(out, SwitchView(d, o.Value))
			}
		}
	})
	slices.SortFunc(out, func(a, b netmodel.SwitchView) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// SwitchView is a switch with what its agent says.
func SwitchView(d *store.Data, sw netmodel.Switch) netmodel.SwitchView {
	_, alive := d.Alive[sw.ID]
	view := netmodel.SwitchView{Switch: sw, Alive: alive, Status: known(d.SwitchStatuses, sw.ID)}
	for _, p := range sw.Ports {
		at := store.Port{Switch: sw.ID, Port: p.Name}
		intent := known(d.Intents, at)
		if p.Role == netmodel.PortExternal {
			intent = d.External(at)
		}
		view.Views = append(view.Views, netmodel.PortView{
			Name: p.Name, Role: p.Role, Intent: intent, Status: known(d.PortStatuses, at),
			Session: known(d.Sessions, at), Discovery: known(d.Discoveries, at),
			Faults: d.Index.PortFaults(discover.Port(at)),
		})
	}
	return view
}

// known is a copy of a value, nil if there is none.
func known[K comparable, V any](t store.Table[K, V], k K) *V {
	o, ok := t[k]
	if !ok {
		return nil
	}
	return &o.Value
}
