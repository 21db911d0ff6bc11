package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Heartbeat keeps a leased key, so that a switch that falls silent is known to be away after TTL.
type Heartbeat struct {
	Switch string
	Client *clientv3.Client
	TTL    time.Duration // whole seconds
	Alive  netmodel.Alive
	Log    *slog.Logger
}

// Run beats until ctx ends. The lease is not revoked then: an agent that restarts within TTL was never away.
func (h Heartbeat) Run(ctx context.Context) error {
	wait := minWait
	for ctx.Err() == nil {
		began := time.Now()
		if err := h.beat(ctx); ctx.Err() == nil {
			h.Log.Debug("heartbeat begins anew", "err", err)
		}
		if wait = min(wait*2, maxWait); time.Since(began) > h.TTL {
			wait = minWait
		}
		pause(ctx, wait)
	}
	return nil
}

// beat holds one lease for as long as it lasts.
func (h Heartbeat) beat(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lease, err := h.place(ctx)
	if err != nil {
		return err
	}
	kept, err := h.Client.KeepAlive(ctx, lease)
	if err != nil {
		return fmt.Errorf("keep lease alive: %w", err)
	}
	for range kept { // ends when etcd no longer knows the lease
	}
	return errors.New("lease lost")
}

func (h Heartbeat) place(ctx context.Context) (clientv3.LeaseID, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	lease, err := h.Client.Grant(ctx, int64(h.TTL/time.Second))
	if err != nil {
		return 0, fmt.Errorf("take lease: %w", err)
	}
	raw, err := wire.AliveCodec.Encode(h.Alive)
	if err != nil {
		return 0, err
	}
	if _, err := h.Client.Put(ctx, keys.Alive(h.Switch), string(raw), clientv3.WithLease(lease.ID)); err != nil {
		return 0, fmt.Errorf("write heartbeat: %w", err)
	}
	return lease.ID, nil
}
