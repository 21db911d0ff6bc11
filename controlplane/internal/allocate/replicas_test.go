package allocate_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pointsman/pointsman/controlplane/internal/allocate"
	"github.com/pointsman/pointsman/controlplane/internal/etcdtest"
	"github.com/pointsman/pointsman/controlplane/internal/store"
)

// TestReplicasAndCallersThatGiveUp: four replicas allocate, move and release in random order, and callers give up midway, which
// leaves it open whether a transaction was committed. At every end nothing is held twice, and nothing is lost.
func TestReplicasAndCallersThatGiveUp(t *testing.T) {
	endpoint := etcdtest.Start(t)
	f := build(t, start(t, endpoint, time.Second), 2, 4)
	replicas := []*replica{f.replica, start(t, endpoint, time.Second), start(t, endpoint, time.Second), start(t, endpoint, time.Second)}
	f.network(t, "blue", "10.1.0.0/20", "fd01::/64")
	f.network(t, "red", "10.2.0.0/20")
	before := world(t, f.st)
	var done [3]atomic.Int64
	for range 3 {
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				for range 40 {
					act(t, replicas[i%len(replicas)], &done)
				}
			})
		}
		wg.Wait()
		consistent(t, f.st)
	}
	t.Logf("%d created, %d moved, %d released", done[0].Load(), done[1].Load(), done[2].Load())
	for i := range done {
		if done[i].Load() < 20 {
			t.Errorf("the test did too little: %d created, %d moved, %d released", done[0].Load(), done[1].Load(), done[2].Load())
		}
	}
	for _, a := range f.allocations.List("", "") {
		if _, err := f.allocations.Release(t.Context(), call, "default", a.ID); err != nil {
			t.Error(err)
		}
	}
	consistent(t, f.st)
	f.allFree(t)
	etcdtest.Eventually(t, func() error { return differ(before, world(t, f.st)) })
}

// act does one thing, and gives up on it every fourth time.
func act(t *testing.T, r *replica, done *[3]atomic.Int64) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if rand.IntN(4) == 0 {
		time.AfterFunc(time.Duration(rand.IntN(4000))*time.Microsecond, cancel)
	}
	all := r.allocations.List("default", "")
	network := []string{"blue", "red"}[rand.IntN(2)]
	var err error
	what := rand.IntN(3)
	switch {
	case what == 0 || len(all) == 0:
		what = 0
		_, err = r.allocations.Create(ctx, call, allocate.Request{Project: "default", Attachments: in(network)})
	case what == 1:
		_, err = r.allocations.Move(ctx, call, "default", all[rand.IntN(len(all))].ID, in(network), 0)
	default:
		_, err = r.allocations.Release(ctx, call, "default", all[rand.IntN(len(all))].ID)
	}
	var refusal *store.Refusal
	switch {
	case err == nil:
		done[what].Add(1)
	case errors.As(err, &refusal), ctx.Err() != nil:
		// Nothing is free, somebody else has released it, it is there already; or the caller gave up.
	default:
		t.Error(err)
	}
}
