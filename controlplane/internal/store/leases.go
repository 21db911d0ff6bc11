package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// leases shares leases by time slot, so that many keys that end at about the same time cost one lease. A key lives at least
// rest, and at most rest and a slot.
type leases struct {
	client *clientv3.Client
	clock  func() time.Time

	mu    sync.Mutex
	known map[leaseSlot]clientv3.LeaseID
}

type leaseSlot struct {
	rest, slot time.Duration
	number     int64
}

func newLeases(client *clientv3.Client, clock func() time.Time) *leases {
	return &leases{client: client, clock: clock, known: map[leaseSlot]clientv3.LeaseID{}}
}

// get returns the lease of the present slot.
func (l *leases) get(ctx context.Context, rest, slot time.Duration) (clientv3.LeaseID, error) {
	k := leaseSlot{rest, slot, l.clock().UnixNano() / int64(slot)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if id, ok := l.known[k]; ok {
		return id, nil
	}
	ttl := int64((rest + slot + time.Second - 1) / time.Second)
	answer, err := l.client.Grant(ctx, ttl)
	if err != nil {
		return 0, fmt.Errorf("grant lease of %d s: %w", ttl, err)
	}
	for old := range l.known {
		if old.rest == rest && old.slot == slot {
			delete(l.known, old)
		}
	}
	l.known[k] = answer.ID
	return answer.ID, nil
}

// forget drops all leases: one of them was not found in etcd.
func (l *leases) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.known)
}

// Leases of requests and changes.
const (
	requestRest, requestSlot = 24 * time.Hour, time.Hour
	changeRest, changeSlot   = 30 * 24 * time.Hour, 24 * time.Hour
)

// quarantineSlot keeps the number of leases small beside the quarantine's length.
func quarantineSlot(quarantine time.Duration) time.Duration {
	return max(time.Second, quarantine/8)
}
