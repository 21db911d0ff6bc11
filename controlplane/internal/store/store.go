// Package store is the control plane's view of etcd: one watch feeds a typed, consistent cache; transactions compare what a
// decision was made from; a request id gets the same answer again. It decides nothing about networks or machines; the services
// above it do.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/pkg/keys"
)

// Options of a store.
type Options struct {
	// Clock is time.Now in production.
	Clock func() time.Time
	Log   *slog.Logger
}

// Store is the cache and the way to change what it caches. Safe for concurrent use.
type Store struct {
	client *clientv3.Client
	clock  func() time.Time
	log    *slog.Logger
	uuid   string
	leases *leases

	mu       sync.RWMutex
	data     *Data
	revision int64         // of etcd, up to which data is complete
	advanced chan struct{} // closed and replaced when revision advances
	synced   bool

	subscribers []func(changed []string)
}

// pageSize bounds one answer of the initial listing.
const pageSize = 5000

// Open claims or reads the store's UUID and fills the cache. Run keeps it up to date.
func Open(ctx context.Context, client *clientv3.Client, o Options) (*Store, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{client: client, clock: o.Clock, log: o.Log, data: newData(), advanced: make(chan struct{})}
	s.leases = newLeases(client, o.Clock)
	if err := s.claimUUID(ctx); err != nil {
		return nil, err
	}
	if err := s.list(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// UUID is the identity of this store: agents refuse to follow another one.
func (s *Store) UUID() string { return s.uuid }

// Now is the store's clock.
func (s *Store) Now() time.Time { return s.clock() }

// Client is the connection to etcd.
func (s *Store) Client() *clientv3.Client { return s.client }

// claimUUID creates the UUID if there is none: the first replica on an empty etcd wins.
func (s *Store) claimUUID(ctx context.Context) error {
	id := uuid.NewString()
	answer, err := s.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(keys.Store), "=", 0)).
		Then(clientv3.OpPut(keys.Store, id)).
		Else(clientv3.OpGet(keys.Store)).Commit()
	if err != nil {
		return fmt.Errorf("claim store: %w", err)
	}
	s.uuid = id
	if !answer.Succeeded {
		s.uuid = string(answer.Responses[0].GetResponseRange().Kvs[0].Value)
	}
	return nil
}

// Subscribe registers a function that is told the keys of each batch of changes, and nil after a new listing. It must not
// block. Call it before Run.
func (s *Store) Subscribe(changed func(keys []string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribers = append(s.subscribers, changed)
}

// Read gives access to the cache at one revision. The data must not be kept or changed.
func (s *Store) Read(read func(d *Data)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	read(s.data)
}

// Revision is the revision of etcd that the cache shows.
func (s *Store) Revision() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.revision
}

// Synced says whether the watch is running and the cache follows.
func (s *Store) Synced() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.synced
}

// WaitRevision waits until the cache shows revision or a later one.
func (s *Store) WaitRevision(ctx context.Context, revision int64) error {
	for {
		s.mu.RLock()
		done, advanced := s.revision >= revision, s.advanced
		s.mu.RUnlock()
		if done {
			return nil
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return fmt.Errorf("wait for revision %d: %w", revision, ctx.Err())
		}
	}
}

// Linearize waits until the cache shows a state no older than now: what is missing then is missing in truth.
func (s *Store) Linearize(ctx context.Context) error {
	answer, err := s.client.Get(ctx, keys.Store, clientv3.WithCountOnly())
	if err != nil {
		return fmt.Errorf("read revision: %w", err)
	}
	for {
		// Progress is asked for, since the revision may have been made by keys that this store does not watch; and again, since a
		// watch that is only being set up does not answer.
		_ = s.client.RequestProgress(clientv3.WithRequireLeader(ctx))
		look, cancel := context.WithTimeout(ctx, progressLook)
		err := s.WaitRevision(look, answer.Header.Revision)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// progressLook is how long an answer to a request for progress is waited for.
const progressLook = 100 * time.Millisecond

// list reads everything at one revision and replaces the cache.
func (s *Store) list(ctx context.Context) error {
	data := newData()
	revision, err := s.load(ctx, data, keys.Prefix, 0)
	if err != nil {
		return err
	}
	data.Index.Settle()
	s.mu.Lock()
	s.data = data
	subscribers := s.subscribers
	s.advance(revision)
	s.mu.Unlock()
	for _, tell := range subscribers {
		tell(nil)
	}
	return nil
}

// load reads all below a root at a revision, 0 being the present one, and returns it.
func (s *Store) load(ctx context.Context, data *Data, root string, revision int64) (int64, error) {
	from, end := root, clientv3.GetPrefixRangeEnd(root)
	for {
		answer, err := s.client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(pageSize), clientv3.WithRev(revision))
		if err != nil {
			return 0, fmt.Errorf("list store: %w", err)
		}
		if revision == 0 {
			revision = answer.Header.Revision
		}
		for _, kv := range answer.Kvs {
			s.applyTo(data, kv, false)
		}
		if !answer.More {
			return revision, nil
		}
		from = string(answer.Kvs[len(answer.Kvs)-1].Key) + "\x00"
	}
}

func (s *Store) advance(revision int64) {
	s.revision = max(s.revision, revision)
	s.data.Revision = s.revision
	close(s.advanced)
	s.advanced = make(chan struct{})
}

// Run follows etcd until ctx ends. After a compaction or a lost watch it lists anew.
func (s *Store) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := s.watch(ctx); ctx.Err() == nil {
			s.log.Warn("store watch ended, listing anew", "error", err)
			s.relist(ctx)
		}
	}
	return nil
}

// relistAfter is how long a listing that failed waits for the next.
const relistAfter = time.Second

// relist replaces the cache after a gap in the watch; until the next watch runs the cache does not follow.
func (s *Store) relist(ctx context.Context) {
	s.mu.Lock()
	s.synced = false
	s.mu.Unlock()
	err := s.list(ctx)
	if err == nil || ctx.Err() != nil {
		return
	}
	s.log.Warn("list store", "error", err)
	select {
	case <-ctx.Done():
	case <-time.After(relistAfter):
	}
}

var errWatchClosed = errors.New("etcd closed the watch")

func (s *Store) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	events := s.client.Watch(ctx, keys.Prefix, clientv3.WithPrefix(), clientv3.WithRev(s.Revision()+1), clientv3.WithProgressNotify(), clientv3.WithCreatedNotify())
	for answer := range events {
		if err := answer.Err(); err != nil {
			if errors.Is(err, rpctypes.ErrCompacted) {
				return fmt.Errorf("history is compacted: %w", err)
			}
			return err
		}
		s.apply(answer)
	}
	return errWatchClosed
}

func (s *Store) apply(answer clientv3.WatchResponse) {
	var changed []string
	s.mu.Lock()
	for _, e := range answer.Events {
		s.applyTo(s.data, e.Kv, e.Type == mvccpb.DELETE)
		changed = append(changed, string(e.Kv.Key))
	}
	s.data.Index.Settle()
	s.synced = true
	subscribers := s.subscribers
	switch n := len(answer.Events); {
	case n > 0:
		// A watch that catches up is told etcd's present revision with events of older ones.
		s.advance(answer.Events[n-1].Kv.ModRevision)
	case !answer.Created:
		s.advance(answer.Header.Revision)
	}
	s.mu.Unlock()
	if len(changed) == 0 {
		return
	}
	for _, tell := range subscribers {
		tell(changed)
	}
}

// applyTo brings one key into the cache. A value that cannot be read is said and left out: it is one object's fault.
func (s *Store) applyTo(data *Data, kv *mvccpb.KeyValue, deleted bool) {
	if err := data.apply(kv, deleted); err != nil {
		s.log.Error("read stored object", "key", string(kv.Key), "error", err)
	}
}
