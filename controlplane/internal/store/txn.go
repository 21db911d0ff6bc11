package store

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/pkg/wire"
)

// ErrConflict says that what a decision was made from has changed; decide again.
var ErrConflict = errors.New("the store changed meanwhile")

// MaxOps is etcd's limit of operations in a transaction, which counts comparisons and writes each.
const MaxOps = 128

// Txn collects what a decision was made from and what it writes. A Txn is used once.
type Txn struct {
	store   *Store
	compare map[string]clientv3.Cmp
	puts    map[string]put
	order   []string
	before  map[string][]byte
	err     error
}

type put struct {
	value  []byte // nil deletes
	delete bool
	lease  time.Duration // rest of a quarantine; 0 is for ever
}

// Begin starts a transaction.
func (s *Store) Begin() *Txn {
	return &Txn{store: s, compare: map[string]clientv3.Cmp{}, puts: map[string]put{}, before: map[string][]byte{}}
}

// Unchanged requires that a key is as the decision saw it; revision 0 is absent.
func (t *Txn) Unchanged(key string, revision int64) {
	t.compare[key] = clientv3.Compare(clientv3.ModRevision(key), "=", revision)
}

// Absent requires that a key does not exist: creating it is the lock.
func (t *Txn) Absent(key string) {
	t.compare[key] = clientv3.Compare(clientv3.CreateRevision(key), "=", 0)
}

// Exists requires that a key exists, whatever its value.
func (t *Txn) Exists(key string) {
	if _, ok := t.compare[key]; !ok {
		t.compare[key] = clientv3.Compare(clientv3.CreateRevision(key), ">", 0)
	}
}

// EmptyRange requires that no key begins with prefix.
func (t *Txn) EmptyRange(prefix string) {
	t.compare[prefix] = clientv3.Compare(clientv3.CreateRevision(prefix), "=", 0).WithPrefix()
}

func (t *Txn) put(key string, p put) {
	if _, ok := t.puts[key]; !ok {
		t.order = append(t.order, key)
	}
	t.puts[key] = p
}

// Put writes a value.
func Put[V any](t *Txn, key string, codec wire.Codec[V], v V) { putFor(t, key, codec, v, 0) }

// Quarantine writes a value that etcd deletes after rest.
func Quarantine[V any](t *Txn, key string, codec wire.Codec[V], v V, rest time.Duration) {
	putFor(t, key, codec, v, rest)
}

func putFor[V any](t *Txn, key string, codec wire.Codec[V], v V, rest time.Duration) {
	raw, err := codec.Encode(v)
	if err != nil {
		t.err = errors.Join(t.err, err)
		return
	}
	t.put(key, put{value: raw, lease: rest})
}

// Delete removes a key.
func (t *Txn) Delete(key string) { t.put(key, put{delete: true}) }

// Before notes what an object was, for the history of changes.
func (t *Txn) Before(key string, raw []byte) { t.before[key] = raw }

// Size is the number of operations so far.
func (t *Txn) Size() int { return max(len(t.compare), len(t.puts)) }

// ops turns the writes into etcd's, with their leases.
func (t *Txn) ops(ctx context.Context) ([]clientv3.Op, error) {
	var ops []clientv3.Op
	for _, key := range t.order {
		p := t.puts[key]
		switch {
		case p.delete:
			ops = append(ops, clientv3.OpDelete(key))
		case p.lease > 0:
			id, err := t.store.leases.get(ctx, p.lease, quarantineSlot(p.lease))
			if err != nil {
				return nil, err
			}
			ops = append(ops, clientv3.OpPut(key, string(p.value), clientv3.WithLease(id)))
		default:
			ops = append(ops, clientv3.OpPut(key, string(p.value)))
		}
	}
	return ops, nil
}

func (t *Txn) cmps() []clientv3.Cmp {
	names := make([]string, 0, len(t.compare))
	for key := range t.compare {
		names = append(names, key)
	}
	sort.Strings(names)
	var out []clientv3.Cmp
	for _, key := range names {
		out = append(out, t.compare[key])
	}
	return out
}

// Commit writes all or nothing. After it, the cache shows what etcd holds: on success the writes, on ErrConflict the state that
// won.
func (t *Txn) Commit(ctx context.Context) error {
	_, err := t.commit(ctx, nil, nil)
	return err
}

// commit adds extra operations, and reads elseGet if the comparisons are lost.
func (t *Txn) commit(ctx context.Context, extra []clientv3.Op, elseGet []clientv3.Op) (*clientv3.TxnResponse, error) {
	if t.err != nil {
		return nil, t.err
	}
	ops, err := t.ops(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := t.store.client.Txn(ctx).If(t.cmps()...).Then(append(ops, extra...)...).Else(elseGet...).Commit()
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		t.store.leases.forget()
		return nil, ErrConflict
	}
	if err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	if !answer.Succeeded {
		_ = t.store.awaitKnown(ctx, answer.Header.Revision)
		return answer, ErrConflict
	}
	return answer, t.store.awaitKnown(ctx, answer.Header.Revision)
}

// awaitKnown waits for the cache, which a lost watch may keep behind for long: then what is decided next may be lost again, but
// never wrong.
func (s *Store) awaitKnown(ctx context.Context, revision int64) error {
	wait, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := s.WaitRevision(wait, revision); err != nil && ctx.Err() != nil {
		return err
	}
	return nil
}
