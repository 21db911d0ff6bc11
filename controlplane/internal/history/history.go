// Package history reads back who changed what, when: the records that package store writes with each change. It changes nothing,
// and holds nothing: history is read from etcd when somebody asks. Package api calls it.
package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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

// Ways through the history.
const (
	// first is how far back the first look goes; each look goes twice as far as the one before. etcd hands a range out from its
	// beginning only, and what people ask for is mostly at its end.
	first = time.Minute
	// furthest is older than any record lives.
	furthest = 64 * 24 * time.Hour
	// batch bounds one answer of etcd.
	batch = 500
)

// List returns the changes that are wanted, the latest first: of those before an id (empty is all), at most size (0 is all). more says
// that there are others after the last.
func (s *Service) List(ctx context.Context, about Subject, before string, size int, wanted func(*apiv1.ChangeRecord) bool) (out []*apiv1.ChangeRecord, more bool, err error) {
	end := clientv3.GetPrefixRangeEnd(keys.Changes)
	latest := s.store.Now()
	if before != "" {
		end = keys.Change(before)
		if latest, err = timeOf(before); err != nil {
			return nil, false, err
		}
	}
	for back := first; end > keys.Changes; back *= 2 {
		from := keys.Changes
		if back < furthest {
			from = min(keys.Change(store.ChangeID(latest.Add(-back))), end)
		}
		found, err := s.between(ctx, from, end, about)
		if err != nil {
			return nil, false, err
		}
		slices.Reverse(found)
		for _, r := range found {
			if !wanted(r) {
				continue
			}
			if size > 0 && len(out) == size {
				return out, true, nil
			}
			out = append(out, r)
		}
		end = from
	}
	return out, false, nil
}

// timeOf is when an id was made.
func timeOf(id string) (time.Time, error) {
	at, err := store.ChangeTime(id)
	if err != nil {
		return at, store.Refuse(store.Invalid, "page_token: it is none that this API gave out")
	}
	return at, nil
}

// between reads the changes about something whose keys are in [from, end), the oldest first.
func (s *Service) between(ctx context.Context, from, end string, about Subject) ([]*apiv1.ChangeRecord, error) {
	var out []*apiv1.ChangeRecord
	for from < end {
		answer, err := s.store.Client().Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(batch))
		if err != nil {
			return nil, fmt.Errorf("read history: %w", err)
		}
		for _, kv := range answer.Kvs {
			change := &apiv1.Change{}
			if err := wire.Unmarshal(kv.Value, change); err != nil {
				return nil, fmt.Errorf("read change %s: %w", kv.Key, err)
			}
			if about.concerns(change) {
				out = append(out, record(strings.TrimPrefix(string(kv.Key), keys.Changes), change))
			}
		}
		if !answer.More {
			break
		}
		from = string(answer.Kvs[len(answer.Kvs)-1].Key) + "\x00"
	}
	return out, nil
}
