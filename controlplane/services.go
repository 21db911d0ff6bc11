package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/pointsman/pointsman/controlplane/internal/allocate"
	"github.com/pointsman/pointsman/controlplane/internal/api"
	"github.com/pointsman/pointsman/controlplane/internal/compiler"
	"github.com/pointsman/pointsman/controlplane/internal/etcdserver"
	"github.com/pointsman/pointsman/controlplane/internal/inventory"
	"github.com/pointsman/pointsman/controlplane/internal/network"
	"github.com/pointsman/pointsman/controlplane/internal/receipt"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
)

// startServices opens the store and starts what follows it. What it starts ends with running.
func startServices(ctx, running context.Context, group *errgroup.Group, c config, client *clientv3.Client, health *api.Health, quota int64, log *slog.Logger) (api.Services, error) {
	st, err := openStore(ctx, client, log)
	if err != nil {
		return api.Services{}, err
	}
	log.Info("store is open", "uuid", st.UUID(), "revision", st.Revision())
	services := api.Services{
		Networks:    network.New(st, c.quarantine),
		Inventory:   inventory.New(st, inventory.Options{AutoAdopt: c.autoAdopt, Log: log.With("part", "inventory")}),
		Allocations: allocate.New(st, c.quarantine),
		Receipts:    receipt.New(st, log.With("part", "receipts")),
		Store:       st,
	}
	compile := compiler.New(st, log.With("part", "compiler"))
	space := &etcdserver.Space{
		Client: client, Quota: quota, Log: log.With("part", "etcd"),
		OnChange: func(full bool) { health.Set(api.StoreFull, full) },
	}
	for _, run := range []func(context.Context) error{st.Run, compile.Run, services.Receipts.Run, services.Inventory.Run} {
		group.Go(func() error { return run(running) })
	}
	group.Go(func() error { space.Run(running); return nil })
	group.Go(func() error { tellSync(running, st, health); return nil })
	if err := awaitSync(ctx, st); err != nil {
		return api.Services{}, err
	}
	health.Set(api.CachesBehind, !st.Synced())
	return services, nil
}

// openStore opens the store once etcd answers: replicas and an etcd outside may start in any order.
func openStore(ctx context.Context, client *clientv3.Client, log *slog.Logger) (*store.Store, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := ping(ctx, client)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("wait for etcd at %v: %w", client.Endpoints(), err)
		}
		log.Warn("etcd is not there yet", "endpoints", client.Endpoints(), "error", err)
	}
	return store.Open(ctx, client, store.Options{Log: log.With("part", "store")})
}

// ping asks etcd for something that needs its majority.
func ping(ctx context.Context, client *clientv3.Client) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := client.Get(ctx, keys.Store, clientv3.WithCountOnly())
	if err != nil {
		wait(ctx, time.Second) // the rest of the second: an etcd that refuses is not asked all the time
	}
	return err
}

// syncLook is how often the store is asked whether its watch runs.
const syncLook = 250 * time.Millisecond

// tellSync takes the control plane out of service while its caches do not follow etcd: what it read would be old.
func tellSync(ctx context.Context, st *store.Store, health *api.Health) {
	for ctx.Err() == nil {
		health.Set(api.CachesBehind, !st.Synced())
		wait(ctx, syncLook)
	}
}

// awaitSync waits until the store's watch runs, so that who is told that this serves finds it serving.
func awaitSync(ctx context.Context, st *store.Store) error {
	for !st.Synced() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait(ctx, time.Millisecond)
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
