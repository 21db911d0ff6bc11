package store

import (
	"context"
	"errors"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Settled makes a decision for Do whose refusals are true: one that refuses is made again from a state no older than now, since
// the cache may not yet show what another replica has just freed or created.
func Settled[V any](s *Store, decide func(t *Txn) (V, error)) func(ctx context.Context, t *Txn) (V, error) {
	fresh := false
	return func(ctx context.Context, t *Txn) (V, error) {
		v, err := decide(t)
		var refusal *Refusal
		if fresh || !errors.As(err, &refusal) {
			return v, err
		}
		if err := s.Linearize(ctx); err != nil {
			return v, err
		}
		fresh = true
		return v, ErrConflict
	}
}

// UnchangedRange requires that no key that begins with prefix was created or changed after a revision. Read the revision before
// the data that the decision is made from. Deletions are not noticed.
func (t *Txn) UnchangedRange(prefix string, revision int64) {
	t.compare[prefix] = clientv3.Compare(clientv3.ModRevision(prefix), "<", revision+1).WithPrefix()
}

// NoneCreated requires that no key that begins with prefix was created after a revision; changes do not matter.
func (t *Txn) NoneCreated(prefix string, revision int64) {
	t.compare[prefix] = clientv3.Compare(clientv3.CreateRevision(prefix), "<", revision+1).WithPrefix()
}
