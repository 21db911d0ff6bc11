// Package etcdtest runs a real etcd, and stores on it as replicas have them, for tests of the packages beside it.
package etcdtest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/controlplane/internal/etcdserver"
	"github.com/pointsman/pointsman/controlplane/internal/store"
)

// Start runs an etcd of the test's own, without fsync, and returns its endpoint.
func Start(t testing.TB) string {
	t.Helper()
	s, err := etcdserver.Start(t.Context(), etcdserver.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Fast: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.Endpoint()
}

// Client connects to an etcd.
func Client(t testing.TB, endpoint string) *clientv3.Client {
	t.Helper()
	c, err := etcdserver.NewClient([]string{endpoint}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Store opens a store as one replica does, with a connection of its own; start adds what subscribes to it, before it runs.
func Store(t testing.TB, endpoint string, start func(*store.Store)) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), Client(t, endpoint), store.Options{Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	if start != nil {
		start(s)
	}
	Background(t, s.Run)
	for deadline := time.Now().Add(10 * time.Second); !s.Synced(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the store's watch does not start")
		}
	}
	return s
}

// Background runs a loop until the test ends.
func Background(t testing.TB, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Eventually waits until check finds nothing wrong.
func Eventually(t testing.TB, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("after 10 s: %v", err)
}

// All is everything that an etcd holds below a prefix.
func All(t testing.TB, c *clientv3.Client, prefix string) map[string]string {
	t.Helper()
	got, err := c.Get(t.Context(), prefix, clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, kv := range got.Kvs {
		out[string(kv.Key)] = string(kv.Value)
	}
	return out
}
