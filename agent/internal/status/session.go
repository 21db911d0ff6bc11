package status

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/connectivity"

	"github.com/pointsman/pointsman/pkg/keys"
)

const (
	requestTimeout = 5 * time.Second
	// batch is how many keys one transaction writes; etcd takes 128.
	batch = 100
	// relist is how often what is stored is compared without a reason.
	relist = 2 * time.Minute
)

// session lists what is stored and then keeps it in step, until the connection is lost or something is refused.
func (w *Writer) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.stored = nil
	if err := w.list(ctx); err != nil {
		return err
	}
	lost := make(chan struct{})
	go func() { // behind a new connection may be another store
		if w.client.ActiveConnection().WaitForStateChange(ctx, connectivity.Ready) {
			close(lost)
		}
	}()
	again := time.NewTimer(relist*9/10 + rand.N(relist/5))
	defer again.Stop()
	for {
		if err := w.writeAll(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-lost:
			return errors.New("connection to etcd lost")
		case <-again.C:
			return errors.New("time to compare with what is stored")
		case <-w.wake:
		}
	}
}

func (w *Writer) list(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	stored := map[string][]byte{}
	for _, prefix := range []string{keys.SwitchStatuses(w.sw), keys.SwitchDiscoveries(w.sw)} {
		response, err := w.client.Get(ctx, prefix, clientv3.WithPrefix())
		if err != nil {
			return fmt.Errorf("list reports: %w", err)
		}
		for _, kv := range response.Kvs {
			stored[string(kv.Key)] = kv.Value
		}
	}
	w.stored = stored
	return nil
}

// writeAll writes until nothing differs.
func (w *Writer) writeAll(ctx context.Context) error {
	for {
		ops, then := w.pending()
		if len(ops) == 0 {
			return nil
		}
		if err := w.commit(ctx, ops); err != nil {
			return err
		}
		then()
	}
}

func (w *Writer) commit(ctx context.Context, ops []clientv3.Op) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if _, err := w.client.Txn(ctx).Then(ops...).Commit(); err != nil {
		w.log.Warn("reports were not written; trying again", "keys", len(ops), "err", err)
		return fmt.Errorf("write reports: %w", err)
	}
	return nil
}

// pending returns the next writes, and what to note when they are done.
func (w *Writer) pending() (ops []clientv3.Op, then func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var puts []string
	for key, e := range w.want {
		if old, ok := w.stored[key]; w.absent(key) || ok && (bytes.Equal(old, e.raw) || e.same(old)) {
			continue
		}
		puts = append(puts, key)
	}
	slices.SortFunc(puts, byWeight)
	puts = puts[:min(len(puts), batch)]
	written := map[string][]byte{}
	for _, key := range puts {
		written[key] = w.want[key].raw
		ops = append(ops, clientv3.OpPut(key, string(written[key])))
	}
	var deleted []string
	for _, key := range sorted(w.stored) {
		if len(ops) < batch && w.stale(key) {
			deleted = append(deleted, key)
			ops = append(ops, clientv3.OpDelete(key))
		}
	}
	return ops, func() {
		for key, raw := range written {
			w.stored[key] = raw
		}
		for _, key := range deleted {
			delete(w.stored, key)
		}
	}
}

// byWeight lets what allocations wait for go before the rest.
func byWeight(a, b string) int {
	weight := func(key string) int {
		if strings.HasPrefix(key, keys.Discoveries) {
			return 1
		}
		return 0
	}
	if d := weight(a) - weight(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

// stale tells whether a stored key is of something that is no more. What was not told yet is not stale.
func (w *Writer) stale(key string) bool {
	if w.absent(key) {
		return true
	}
	if _, wanted := w.want[key]; wanted {
		return false
	}
	for prefix := range w.owned {
		if _, ok := under(prefix, key); ok {
			return true
		}
	}
	return false
}

// absent tells whether a key is of what was heard on a port that there is not. It stays wanted: a port that comes back is heard before
// the switch is seen to have it, and its neighbour is told once.
func (w *Writer) absent(key string) bool {
	port, ok := under(keys.SwitchDiscoveries(w.sw), key)
	return ok && w.present != nil && !w.present[port]
}
