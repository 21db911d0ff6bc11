package compiler

import (
	"cmp"
	"maps"
	"slices"

	"github.com/pointsman/pointsman/controlplane/internal/compile"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// vrfDifferences rewrites the intents of borders' VRFs, and deletes those whose network or ports are gone: unlike a machine port, an
// external port has nowhere else to be.
func vrfDifferences(d *store.Data) []rewrite {
	wanted := map[store.SwitchVRF]netmodel.VRFIntent{}
	for _, sw := range d.Switches {
		for name, v := range compile.VRFs(sw.Value, own(d)) {
			wanted[store.SwitchVRF{Switch: sw.Value.ID, VRF: name}] = v
		}
	}
	var out []rewrite
	for at, want := range wanted {
		stored := d.VRFs[at]
		if stored.ModRevision != 0 && compile.SameVRF(stored.Value, want) {
			continue
		}
		want.Generation = nextVRFGeneration(d, stored, want)
		key := keys.VRFIntent(at.Switch, at.VRF)
		out = append(out, rewrite{key, stored.ModRevision, func(t *store.Txn) { store.Put(t, key, wire.VRFIntentCodec, want) }})
	}
	for at, stored := range d.VRFs {
		if _, ok := wanted[at]; !ok {
			key := keys.VRFIntent(at.Switch, at.VRF)
			out = append(out, rewrite{key, stored.ModRevision, func(t *store.Txn) { t.Delete(key) }})
		}
	}
	slices.SortFunc(out, func(a, b rewrite) int { return cmp.Compare(a.key, b.key) })
	return out
}

// own finds a project's own network: the outside is given to nobody else by a name.
func own(d *store.Data) func(project, id string) (netmodel.Network, bool) {
	return func(project, id string) (netmodel.Network, bool) {
		o, ok := d.Networks[store.Named{Project: project, ID: id}]
		return o.Value, ok
	}
}

// nextVRFGeneration is beyond what was stored, and beyond whatever the agent once reported of the VRF's ports, in this VRF or another:
// an old report proves nothing of this intent.
func nextVRFGeneration(d *store.Data, stored store.Object[netmodel.VRFIntent], want netmodel.VRFIntent) uint64 {
	last := stored.Value.Generation
	for _, p := range want.Peers {
		last = max(last, d.PortStatuses.Value(store.Port{Switch: want.Switch, Port: p.Port}).AppliedGeneration)
	}
	return last + 1
}

// addVRFs adds the VRFs that borders have for the outside.
func addVRFs(d *store.Data, vrfs map[string]map[string]bool) {
	for at := range maps.Keys(d.VRFs) {
		if vrfs[at.Switch] == nil {
			vrfs[at.Switch] = map[string]bool{}
		}
		vrfs[at.Switch][at.VRF] = true
	}
}
