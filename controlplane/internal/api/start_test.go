package api_test

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/pointsman/pointsman/controlplane/internal/allocate"
	"github.com/pointsman/pointsman/controlplane/internal/api"
	"github.com/pointsman/pointsman/controlplane/internal/auth"
	"github.com/pointsman/pointsman/controlplane/internal/compiler"
	"github.com/pointsman/pointsman/controlplane/internal/etcdserver"
	"github.com/pointsman/pointsman/controlplane/internal/inventory"
	"github.com/pointsman/pointsman/controlplane/internal/network"
	"github.com/pointsman/pointsman/controlplane/internal/receipt"
	"github.com/pointsman/pointsman/controlplane/internal/store"
)

// start runs the whole control plane in this process: embedded etcd, store, services, API on a port of the loopback.
func start(t *testing.T) *clients {
	t.Helper()
	return startWith(t, 0)
}

// startWith limits the database to quota bytes; 0 is etcd's default.
func startWith(t *testing.T, quota int64) *clients {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	etcd, err := etcdserver.Start(t.Context(), etcdserver.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Quota: quota, Fast: true, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(etcd.Close)
	client, err := etcdserver.NewClient([]string{etcd.Endpoint()}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	st, err := store.Open(t.Context(), client, store.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	services := api.Services{
		Networks: network.New(st, time.Hour), Inventory: inventory.New(st, inventory.Options{Log: log}),
		Allocations: allocate.New(st, time.Hour), Receipts: receipt.New(st, log), Store: st,
	}
	compile := compiler.New(st, log)
	running, end := context.WithCancel(context.Background())
	var group errgroup.Group
	for _, run := range []func(context.Context) error{st.Run, compile.Run, services.Receipts.Run, services.Inventory.Run} {
		group.Go(func() error { return run(running) })
	}
	t.Cleanup(func() {
		end()
		if err := group.Wait(); err != nil {
			t.Errorf("a service ended with %v", err)
		}
	})
	c := serve(t, services, log)
	c.etcd = client
	return c
}

func serve(t *testing.T, services api.Services, log *slog.Logger) *clients {
	t.Helper()
	server, err := api.NewServer(services.Register, auth.Authenticate(), api.NewHealth(log), log)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	c := clientsOf(conn, nil)
	c.metrics = server.Metrics()
	c.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		server.Stop(ctx)
		if err := <-served; err != nil {
			t.Errorf("Serve ended with %v", err)
		}
	})
	t.Cleanup(func() {
		conn.Close()
		c.stop()
	})
	return c
}
