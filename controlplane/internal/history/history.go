// Package history reads back who changed what, when: the records that package store writes with each change. It changes nothing,
// and holds nothing: history is read from etcd when somebody asks. Package api calls it.
package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Service reads the history of one store.
type Service struct{ store *store.Store }

// New makes a Service.
func New(s *store.Store) *Service { return &Service{store: s} }

// Ways through the history. etcd hands a range out from its beginning only, and what people ask for is mostly at its end: a look
// takes what was recorded in a span of time, which doubles while there is little, and shrinks where one answer does not hold it.
const (
	firstSpan = time.Minute
	leastSpan = time.Microsecond
	// furthest is older than any record lives.
	furthest = 64 * 24 * time.Hour
	// batch bounds one answer of etcd, and so what is held at a time.
	batch = 500
)

// Query is what changes are asked for.
type Query struct {
	About Subject
	// Before is the id of a change: only earlier ones. Empty is all.
	Before string
	// Revision is of the state in which the history is read; 0 is the present one.
	Revision int64
	// Size is how many at most; 0 is all.
	Size   int
	Wanted func(*apiv1.ChangeRecord) bool
}

// Found are changes, the latest first.
type Found struct {
	Changes []*apiv1.ChangeRecord
	// More says that there are others after the last.
	More bool
	// Revision of the state in which they were found.
	Revision int64
}

// List returns the changes that a query asks for.
func (s *Service) List(ctx context.Context, q Query) (Found, error) {
	found := Found{Revision: q.Revision}
	end, latest := clientv3.GetPrefixRangeEnd(keys.Changes), s.store.Now()
	if q.Before != "" {
		var err error
		if latest, err = timeOf(q.Before); err != nil {
			return Found{}, err
		}
		end = keys.Change(q.Before)
	}
	for span := firstSpan; end > keys.Changes && !found.More; {
		from := keys.Changes
		if span < furthest {
			from = min(keys.Change(store.ChangeID(latest.Add(-span))), end)
		}
		limit := int64(batch)
		if span == leastSpan {
			limit = 0
		}
		answer, err := s.store.Client().Get(ctx, from, clientv3.WithRange(end), clientv3.WithRev(found.Revision), clientv3.WithLimit(limit))
		if err != nil {
			return Found{}, store.Past(fmt.Errorf("read history: %w", err))
		}
		if found.Revision == 0 {
			found.Revision = answer.Header.Revision
		}
		if answer.More {
			span = max(span/4, leastSpan)
			continue
		}
		if err := found.take(answer.Kvs, q); err != nil {
			return Found{}, err
		}
		end, latest, span = from, latest.Add(-span), 2*span
	}
	return found, nil
}

// take adds what a query wants of records that stand in the order of time.
func (f *Found) take(records []*mvccpb.KeyValue, q Query) error {
	for _, kv := range slices.Backward(records) {
		change := &apiv1.Change{}
		if err := wire.Unmarshal(kv.Value, change); err != nil {
			return fmt.Errorf("read change %s: %w", kv.Key, err)
		}
		if !q.About.concerns(change) {
			continue
		}
		r := record(strings.TrimPrefix(string(kv.Key), keys.Changes), change)
		if !q.Wanted(r) {
			continue
		}
		if f.More = q.Size > 0 && len(f.Changes) == q.Size; f.More {
			return nil
		}
		f.Changes = append(f.Changes, r)
	}
	return nil
}

// timeOf is when an id was made.
func timeOf(id string) (time.Time, error) {
	at, err := store.ChangeTime(id)
	if err != nil {
		return at, store.Refuse(store.Invalid, "page_token: it is none that this API gave out")
	}
	return at, nil
}
