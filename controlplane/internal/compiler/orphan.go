package compiler

import (
	"cmp"
	"slices"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// orphans are intents of ports that are not registered: a switch with more ports than a transaction holds operations leaves some
// when it goes. One that an allocation holds is not touched: a port does not go while it is allocated.
func orphans(d *store.Data, owners map[store.Port]owner) []rewrite {
	registered := map[store.Port]bool{}
	for _, sw := range d.Switches {
		for _, p := range sw.Value.Ports {
			if p.Role == netmodel.PortMachine {
				registered[store.Port{Switch: sw.Value.ID, Port: p.Name}] = true
			}
		}
	}
	var out []rewrite
	for at, stored := range d.Intents {
		if _, held := owners[at]; held || registered[at] || stored.Value.Allocation != "" {
			continue
		}
		key := keys.PortIntent(at.Switch, at.Port)
		out = append(out, rewrite{key, stored.ModRevision, func(t *store.Txn) { t.Delete(key) }})
	}
	slices.SortFunc(out, func(a, b rewrite) int { return cmp.Compare(a.key, b.key) })
	return out
}
