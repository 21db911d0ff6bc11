// Package compiler keeps intents what compile says they must be: at the start and at every event it compares what is stored
// with what is compiled from allocations and networks, and rewrites what differs. Every replica runs it.
package compiler

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pointsman/pointsman/controlplane/internal/compile"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Compiler is the loop.
type Compiler struct {
	store *store.Store
	log   *slog.Logger
	wake  chan struct{}
}

// New makes a Compiler. Call it before the store's Run.
func New(s *store.Store, log *slog.Logger) *Compiler {
	c := &Compiler{store: s, log: log, wake: make(chan struct{}, 1)}
	s.Subscribe(func(changed []string) {
		if changed == nil || slices.ContainsFunc(changed, concerns) {
			c.kick()
		}
	})
	return c
}

// concerns says whether a key takes part in compiling. What agents report does not.
func concerns(key string) bool {
	for _, root := range []string{keys.Networks, keys.Allocations, keys.Switches, keys.Intents} {
		if strings.HasPrefix(key, root) {
			return true
		}
	}
	return false
}

func (c *Compiler) kick() {
	select {
	case c.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

// retryAfter is how long a pass that failed waits for the next.
const retryAfter = time.Second

// Run compiles until ctx ends.
func (c *Compiler) Run(ctx context.Context) error {
	c.kick()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
		}
		if err := c.pass(ctx); err != nil && ctx.Err() == nil {
			if !errors.Is(err, store.ErrConflict) {
				c.log.Warn("compile intents", "error", err)
			}
			time.AfterFunc(retryAfter, c.kick)
		}
	}
}

// rewrite is one key that differs from what it must be.
type rewrite struct {
	key      string
	revision int64 // of the stored value; 0 is absent
	write    func(t *store.Txn)
}

// pass rewrites what differs, in transactions of its own.
func (c *Compiler) pass(ctx context.Context) error {
	var rewrites []rewrite
	c.store.Read(func(d *store.Data) { rewrites = differences(d, c.store.UUID()) })
	var errs []error
	for batch := range slices.Chunk(rewrites, store.MaxOps) {
		t := c.store.Begin()
		for _, r := range batch {
			t.Unchanged(r.key, r.revision)
			r.write(t)
		}
		errs = append(errs, t.Commit(ctx))
	}
	if len(rewrites) > 0 {
		c.log.Debug("intents rewritten", "keys", len(rewrites))
	}
	return errors.Join(errs...)
}

// differences lists the keys whose values are not what they compile to, sorted: pure.
func differences(d *store.Data, storeUUID string) []rewrite {
	var out []rewrite
	owners := owners(d)
	for _, id := range slices.Sorted(maps.Keys(d.Switches)) {
		sw := d.Switches.Value(id)
		out = append(out, configDifference(d, sw, storeUUID)...)
		out = append(out, portDifferences(d, sw, owners)...)
	}
	out = append(out, orphans(d, owners)...)
	out = append(out, vrfDifferences(d)...)
	return append(out, probeDifferences(d)...)
}

func configDifference(d *store.Data, sw netmodel.Switch, storeUUID string) []rewrite {
	stored, want := d.Configs[sw.ID], compile.Config(sw, storeUUID)
	if stored.ModRevision != 0 && compile.SameConfig(stored.Value, want) {
		return nil
	}
	want.Generation = stored.Value.Generation + 1
	key := keys.SwitchConfig(sw.ID)
	return []rewrite{{key, stored.ModRevision, func(t *store.Txn) { store.Put(t, key, wire.SwitchConfigCodec, want) }}}
}

// owner is the allocation that holds a port, and its network.
type owner struct {
	allocation netmodel.Allocation
	network    netmodel.Network
}

func owners(d *store.Data) map[store.Port]owner {
	out := map[store.Port]owner{}
	for _, a := range d.Allocations {
		if len(a.Value.Attachments) == 0 {
			continue
		}
		network, ok := d.Network(a.Value.Project, a.Value.Attachments[0].Network)
		if !ok {
			continue
		}
		for _, p := range a.Value.Ports {
			out[store.Port{Switch: p.Switch, Port: p.Port}] = owner{a.Value, network.Value}
		}
	}
	return out
}

func portDifferences(d *store.Data, sw netmodel.Switch, owners map[store.Port]owner) []rewrite {
	var out []rewrite
	for _, p := range sw.Ports {
		if p.Role != netmodel.PortMachine {
			continue
		}
		at := store.Port{Switch: sw.ID, Port: p.Name}
		want := compile.Port(sw.ID, p.Name, nil, nil)
		if o, ok := owners[at]; ok {
			want = compile.Port(sw.ID, p.Name, &o.allocation, &o.network)
		}
		stored := d.Intents[at]
		if stored.ModRevision != 0 && compile.SamePort(stored.Value, want) {
			continue
		}
		want.Generation = stored.Value.Generation + 1
		if stored.ModRevision == 0 {
			// What an agent once reported of a port of this name proves nothing of this intent.
			want.Generation = d.PortStatuses.Value(at).AppliedGeneration + 1
		}
		key := keys.PortIntent(sw.ID, p.Name)
		out = append(out, rewrite{key, stored.ModRevision, func(t *store.Txn) { store.Put(t, key, wire.PortIntentCodec, want) }})
	}
	return out
}

func probeDifferences(d *store.Data) []rewrite {
	wanted := wantedProbes(d)
	var out []rewrite
	for k, want := range wanted {
		stored := d.Probes[k]
		if stored.ModRevision != 0 && compile.SameProbe(stored.Value, want) {
			continue
		}
		key := keys.Probe(k.Switch, k.Allocation)
		out = append(out, rewrite{key, stored.ModRevision, func(t *store.Txn) { store.Put(t, key, wire.ProbeCodec, want) }})
	}
	for k, stored := range d.Probes {
		if _, ok := wanted[k]; !ok {
			key := keys.Probe(k.Switch, k.Allocation)
			out = append(out, rewrite{key, stored.ModRevision, func(t *store.Txn) { t.Delete(key) }})
		}
	}
	slices.SortFunc(out, func(a, b rewrite) int { return cmp.Compare(a.key, b.key) })
	return out
}

func wantedProbes(d *store.Data) map[store.Reported]netmodel.Probe {
	out := map[store.Reported]netmodel.Probe{}
	if len(d.Allocations) == 0 {
		return out
	}
	switches, vrfs := Topology(d)
	for _, a := range d.Allocations {
		if len(a.Value.Attachments) == 0 {
			continue
		}
		network, ok := d.Network(a.Value.Project, a.Value.Attachments[0].Network)
		if !ok {
			continue
		}
		for sw, probe := range compile.Probes(a.Value, network.Value, switches, vrfs) {
			out[store.Reported{Switch: sw, Allocation: a.Value.ID}] = probe
		}
	}
	return out
}

// Topology is what compile.Probes needs: the switches, and which VRFs each has, on a machine's port or for the outside.
func Topology(d *store.Data) (switches []netmodel.Switch, vrfs map[string]map[string]bool) {
	for _, sw := range d.Switches {
		switches = append(switches, sw.Value)
	}
	vrfs = map[string]map[string]bool{}
	for _, i := range d.Intents {
		if i.Value.Mode != netmodel.ModeVRF {
			continue
		}
		if vrfs[i.Value.Switch] == nil {
			vrfs[i.Value.Switch] = map[string]bool{}
		}
		vrfs[i.Value.Switch][i.Value.VRF] = true
	}
	addVRFs(d, vrfs)
	return switches, vrfs
}
