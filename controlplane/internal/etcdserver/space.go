package etcdserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Space watches the room in an etcd, embedded or not. etcd has no event for its alarms, so it is asked every few seconds.
//
// Of an embedded etcd it also takes care (Quota > 0): a database that is more than half air is defragmented once it is large
// enough to matter, and when etcd has stopped writes for want of room, the history is compacted, the file defragmented and
// the alarm disarmed if that made room. An etcd outside has operators of its own, and is only watched.
type Space struct {
	Client *clientv3.Client
	// Quota of the embedded etcd in bytes, or 0 for one outside.
	Quota int64
	Log   *slog.Logger
	// OnChange is called with true when etcd ran out of space, and with false when it has room again.
	OnChange func(full bool)

	full atomic.Bool
}

const (
	spaceInterval = 5 * time.Second
	// defragmentFrom is the smallest file that is worth a pause: defragmenting stops all requests for about 10 ms per MB.
	defragmentFrom = 64 << 20
	// roomAfterRepair is the share of the quota below which the database must be before an alarm is disarmed; otherwise it
	// would ring again at once.
	roomAfterRepair = 0.9
)

// Full tells whether etcd refuses writes for want of space, as of the last look.
func (s *Space) Full() bool { return s.full.Load() }

// Run looks every few seconds until ctx ends.
func (s *Space) Run(ctx context.Context) {
	tick := time.NewTicker(spaceInterval)
	defer tick.Stop()
	for {
		if err := s.Check(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("cannot ask etcd how full it is", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Check looks once, and does what Space says it does.
func (s *Space) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	full, err := s.alarmed(ctx)
	if err != nil {
		return err
	}
	s.set(full)
	if s.Quota == 0 {
		return nil
	}
	if full {
		return s.makeRoom(ctx)
	}
	return s.defragmentIfAiry(ctx)
}

func (s *Space) set(full bool) {
	if s.full.Swap(full) == full {
		return
	}
	switch {
	case full && s.Quota == 0:
		s.Log.Error("etcd is full and refuses writes: compact and defragment it, then run etcdctl alarm disarm")
	case full:
		s.Log.Error("etcd is full and refuses writes: compacting and defragmenting", "quota_bytes", s.Quota)
	default:
		s.Log.Info("etcd has room again")
	}
	if s.OnChange != nil {
		s.OnChange(full)
	}
}

func (s *Space) alarmed(ctx context.Context) (bool, error) {
	alarms, err := s.Client.AlarmList(ctx)
	if err != nil {
		return false, fmt.Errorf("list etcd's alarms: %w", err)
	}
	for _, a := range alarms.Alarms {
		if a.Alarm == pb.AlarmType_NOSPACE {
			return true, nil
		}
	}
	return false, nil
}

// makeRoom gives up the history that agents and replicas could resume from: they list again, which is better than a
// control plane that cannot write.
func (s *Space) makeRoom(ctx context.Context) error {
	status, err := s.status(ctx)
	if err != nil {
		return err
	}
	if _, err := s.Client.Compact(ctx, status.Header.Revision, clientv3.WithCompactPhysical()); err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
		return fmt.Errorf("compact etcd: %w", err)
	}
	if err := s.defragment(ctx); err != nil {
		return err
	}
	if status, err = s.status(ctx); err != nil {
		return err
	}
	if float64(status.DbSize) > roomAfterRepair*float64(s.Quota) {
		s.Log.Error("etcd stays full after compaction: raise its quota", "size_bytes", status.DbSize, "quota_bytes", s.Quota)
		return nil
	}
	if _, err := s.Client.AlarmDisarm(ctx, &clientv3.AlarmMember{}); err != nil {
		return fmt.Errorf("disarm etcd's alarm: %w", err)
	}
	s.set(false)
	return nil
}

func (s *Space) defragmentIfAiry(ctx context.Context) error {
	status, err := s.status(ctx)
	if err != nil {
		return err
	}
	if status.DbSize < defragmentFrom || status.DbSizeInUse*2 > status.DbSize {
		return nil
	}
	return s.defragment(ctx)
}

func (s *Space) defragment(ctx context.Context) error {
	start := time.Now()
	if _, err := s.Client.Defragment(ctx, s.Client.Endpoints()[0]); err != nil {
		return fmt.Errorf("defragment etcd: %w", err)
	}
	s.Log.Info("etcd is defragmented", "took", time.Since(start))
	return nil
}

func (s *Space) status(ctx context.Context) (*clientv3.StatusResponse, error) {
	status, err := s.Client.Status(ctx, s.Client.Endpoints()[0])
	if err != nil {
		return nil, fmt.Errorf("read etcd's status: %w", err)
	}
	return status, nil
}
