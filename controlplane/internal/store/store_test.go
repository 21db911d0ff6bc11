package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/controlplane/internal/etcdtest"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

func machine(id string) netmodel.Machine {
	return netmodel.Machine{ID: id, CreateTime: time.Unix(1000, 0).UTC()}
}

// create makes a machine whose description counts attempts, so that a repeated answer is told from a second one.
func create(ctx context.Context, s *store.Store, call store.Call, id string, attempts *int) (netmodel.Machine, error) {
	return store.Do(ctx, s, call, wire.MachineCodec, func(_ context.Context, t *store.Txn) (netmodel.Machine, error) {
		*attempts++
		var exists bool
		s.Read(func(d *store.Data) { _, exists = d.Machines[id] })
		if exists {
			return netmodel.Machine{}, store.Refuse(store.Exists, "machine %q exists", id)
		}
		m := machine(id)
		m.Description = fmt.Sprint("attempt ", *attempts)
		t.Absent(keys.Machine(id))
		store.Put(t, keys.Machine(id), wire.MachineCodec, m)
		return m, nil
	})
}

func TestReplicasShareTheStoresIdentity(t *testing.T) {
	endpoint := etcdtest.Start(t)
	a, b := etcdtest.Store(t, endpoint, nil), etcdtest.Store(t, endpoint, nil)
	if a.UUID() == "" || a.UUID() != b.UUID() {
		t.Errorf("identities %q and %q", a.UUID(), b.UUID())
	}
	if other := etcdtest.Store(t, etcdtest.Start(t), nil); other.UUID() == a.UUID() {
		t.Error("another etcd has the same identity")
	}
}

func TestRequestIDs(t *testing.T) {
	endpoint := etcdtest.Start(t)
	a, b := etcdtest.Store(t, endpoint, nil), etcdtest.Store(t, endpoint, nil)
	ctx, attempts := t.Context(), 0
	call := store.Call{Caller: "alice", Method: "Create", RequestID: "r1", RequestHash: "h1"}
	first, err := create(ctx, a, call, "m1", &attempts)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*store.Store{"the same replica": a, "another replica": b} {
		again, err := create(ctx, s, call, "m1", &attempts)
		if err != nil || again.Description != first.Description {
			t.Errorf("repeated at %s: %+v, %v; want %+v", name, again, err, first)
		}
	}
	other := call
	other.RequestHash = "h2"
	if _, err := create(ctx, a, other, "m2", &attempts); !errors.Is(err, store.ErrRequestReused) {
		t.Errorf("the same id with another request: %v", err)
	}
	for _, c := range []store.Call{
		{Caller: "bob", Method: "Create", RequestID: "r1", RequestHash: "h2"}, {Caller: "alice", Method: "Delete", RequestID: "r1", RequestHash: "h2"},
	} {
		if _, err := create(ctx, a, c, "m-"+c.Caller+"-"+strings.ToLower(c.Method), &attempts); err != nil {
			t.Errorf("the id of another caller or method collides: %v", err)
		}
	}
	requests, err := a.Client().Get(ctx, keys.Requests, clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	if len(requests.Kvs) != 3 {
		t.Errorf("%d requests are remembered, want 3", len(requests.Kvs))
	}
	leases := map[int64]bool{}
	for _, kv := range requests.Kvs {
		leases[kv.Lease] = true
	}
	if len(leases) != 1 || leases[0] {
		t.Errorf("requests of one hour hang on leases %v, want one", leases)
	}
	if changes := etcdtest.All(t, a.Client(), keys.Changes); len(changes) != 3 {
		t.Errorf("history: %v", changes)
	}
}

// TestOneRequestManyTimesAtOnce: a client that repeats itself impatiently changes one thing.
func TestOneRequestManyTimesAtOnce(t *testing.T) {
	endpoint := etcdtest.Start(t)
	replicas := []*store.Store{etcdtest.Store(t, endpoint, nil), etcdtest.Store(t, endpoint, nil)}
	var wg sync.WaitGroup
	answers := make([]string, 16)
	for i := range answers {
		wg.Go(func() {
			call, attempts := store.Call{Caller: "alice", Method: "Create", RequestID: "same", RequestHash: "h"}, i*100
			m, err := create(t.Context(), replicas[i%2], call, "m1", &attempts)
			if err != nil {
				t.Error(err)
			}
			answers[i] = m.Description
		})
	}
	wg.Wait()
	for _, a := range answers {
		if a != answers[0] {
			t.Errorf("answers %q and %q", answers[0], a)
		}
	}
	if changes := etcdtest.All(t, replicas[0].Client(), keys.Changes); len(changes) != 1 {
		t.Errorf("%d changes for one request: %v", len(changes), changes)
	}
}

// TestCacheSurvivesCompaction: a replica whose watch lags behind a compaction lists anew and shows everything, deletions too.
func TestCacheSurvivesCompaction(t *testing.T) {
	endpoint := etcdtest.Start(t)
	writer := etcdtest.Client(t, endpoint)
	s, err := store.Open(t.Context(), etcdtest.Client(t, endpoint), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	put := func(id string) int64 {
		raw, err := wire.MachineCodec.Encode(machine(id))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := writer.Put(t.Context(), keys.Machine(id), string(raw))
		if err != nil {
			t.Fatal(err)
		}
		return answer.Header.Revision
	}
	put("gone")
	s2, err := store.Open(t.Context(), etcdtest.Client(t, endpoint), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Delete(t.Context(), keys.Machine("gone")); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		put(fmt.Sprintf("m%d", i))
	}
	last := put("last")
	if _, err := writer.Compact(t.Context(), last, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*store.Store{s, s2} {
		var relisted atomic.Bool
		s.Subscribe(func(changed []string) {
			if changed == nil {
				relisted.Store(true)
			}
		})
		etcdtest.Background(t, s.Run) // its watch starts at a revision that is compacted
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := s.WaitRevision(ctx, last); err != nil {
			t.Fatal(err)
		}
		s.Read(func(d *store.Data) {
			_, gone := d.Machines["gone"]
			_, first := d.Machines["m0"]
			_, last := d.Machines["last"]
			if gone || !first || !last {
				t.Errorf("the cache shows the deleted machine: %v; the first: %v; the last: %v", gone, first, last)
			}
			if !relisted.Load() {
				t.Error("subscribers were not told to look at everything")
			}
		})
		// The watch goes on after the new listing.
		next := put("next")
		if err := s.WaitRevision(ctx, next); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLinearizeSeesForeignRevisions: the store's revision also rises by keys that it does not watch.
func TestLinearizeSeesForeignRevisions(t *testing.T) {
	endpoint := etcdtest.Start(t)
	s := etcdtest.Store(t, endpoint, nil)
	if _, err := s.Client().Put(t.Context(), "/elsewhere", "x"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	begin := time.Now()
	if err := s.Linearize(ctx); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestAnUnreadableObjectIsOneObjectsFault: what else there is, is shown all the same.
func TestAnUnreadableObjectIsOneObjectsFault(t *testing.T) {
	endpoint := etcdtest.Start(t)
	c := etcdtest.Client(t, endpoint)
	for key, value := range map[string]string{
		keys.Machine("broken"): "{", keys.IPs + "blue/not-an-address": "{}", keys.Intents + "leaf01/ports": "x", keys.Machine("good"): `{"id":"good"}`,
	} {
		if _, err := c.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	s := etcdtest.Store(t, endpoint, nil)
	s.Read(func(d *store.Data) {
		if len(d.Machines) != 1 || d.Machines.Value("good").ID != "good" {
			t.Errorf("machines: %v", d.Machines)
		}
	})
}

// TestConflictsAreDecidedAgain: who loses sees what won.
func TestConflictsAreDecidedAgain(t *testing.T) {
	endpoint := etcdtest.Start(t)
	replicas := []*store.Store{etcdtest.Store(t, endpoint, nil), etcdtest.Store(t, endpoint, nil), etcdtest.Store(t, endpoint, nil)}
	var wg sync.WaitGroup
	const each = 20
	for _, s := range replicas {
		wg.Go(func() {
			for range each {
				_, err := store.Do(t.Context(), s, store.Call{Caller: "t", Method: "Count"}, wire.MachineCodec, func(_ context.Context, t *store.Txn) (netmodel.Machine, error) {
					var o store.Object[netmodel.Machine]
					s.Read(func(d *store.Data) { o = d.Machines["counter"] })
					m := machine("counter")
					m.PortMACs = append(o.Value.PortMACs[:len(o.Value.PortMACs):len(o.Value.PortMACs)], "x")
					t.Unchanged(keys.Machine("counter"), o.ModRevision)
					store.Put(t, keys.Machine("counter"), wire.MachineCodec, m)
					return m, nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	// The others may have written last.
	if err := replicas[0].Linearize(t.Context()); err != nil {
		t.Fatal(err)
	}
	replicas[0].Read(func(d *store.Data) {
		if got := len(d.Machines.Value("counter").PortMACs); got != each*len(replicas) {
			t.Errorf("counted %d, want %d", got, each*len(replicas))
		}
	})
}
