// Package receipt proves how far an allocation has come: it reads what switches report, and stamps each phase that the evidence
// reaches, compare-and-set, so that any number of replicas may try. It changes nothing but receipts.
package receipt

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Service stamps and shows receipts. Safe for concurrent use.
type Service struct {
	store *store.Store
	log   *slog.Logger
	wake  chan struct{}

	mu       sync.Mutex
	watchers map[chan struct{}]bool
}

// New makes a Service. Call it before the store's Run.
func New(s *store.Store, log *slog.Logger) *Service {
	r := &Service{store: s, log: log, wake: make(chan struct{}, 1), watchers: map[chan struct{}]bool{}}
	s.Subscribe(func(changed []string) {
		if changed == nil || slices.ContainsFunc(changed, concerns) {
			r.changed()
		}
	})
	return r
}

// concerns says whether a key is evidence, or a receipt.
func concerns(key string) bool {
	for _, root := range []string{keys.Statuses, keys.Receipts, keys.Allocations, keys.Intents, keys.Switches} {
		if strings.HasPrefix(key, root) {
			return true
		}
	}
	return false
}

// changed wakes the loop and all who watch a receipt.
func (s *Service) changed() {
	kick(s.wake)
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers {
		kick(w)
	}
}

func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is about to look anyway
	}
}

const retryAfter = time.Second

// Run stamps until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	kick(s.wake)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		}
		if err := s.pass(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("stamp receipts", "error", err)
			time.AfterFunc(retryAfter, func() { kick(s.wake) })
		}
	}
}

// due is a receipt with more evidence than stamps.
type due struct {
	receipt  netmodel.Receipt
	revision int64
}

// pass stamps what there is evidence for. A receipt whose stamp another replica set first is no error: the cache will show it.
func (s *Service) pass(ctx context.Context) error {
	var stamps []due
	s.store.Read(func(d *store.Data) { stamps = dues(d, s.store.Now()) })
	var errs []error
	for _, st := range stamps {
		key := keys.Receipt(st.receipt.Allocation)
		t := s.store.Begin()
		t.Unchanged(key, st.revision)
		store.Put(t, key, wire.ReceiptCodec, st.receipt)
		if err := t.Commit(ctx); err != nil && !errors.Is(err, store.ErrConflict) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func dues(d *store.Data, now time.Time) []due {
	var out []due
	for id, r := range d.Receipts {
		if len(r.Value.Stamps) == len(netmodel.Phases) {
			continue
		}
		a, ok := d.Allocations[store.Named{Project: r.Value.Project, ID: id}]
		if !ok || a.Value.Generation != r.Value.Generation || len(a.Value.Attachments) == 0 {
			continue
		}
		if stamped, more := Stamp(r.Value, Evaluate(d, a.Value), now); more {
			out = append(out, due{stamped, r.ModRevision})
		}
	}
	return out
}

// View is an allocation's receipt with what keeps its next phase away.
func View(d *store.Data, a netmodel.Allocation) netmodel.ReceiptView {
	v := netmodel.ReceiptView{Receipt: d.Receipts.Value(a.ID)}
	if len(v.Stamps) < len(netmodel.Phases) && len(a.Attachments) > 0 {
		v.WaitingFor = Evaluate(d, a).WaitingFor
	}
	return v
}

// Watch sends the receipt now and at every change. It ends without error at PhaseReachable of the allocation's present
// generation unless follow is set, with a NotFound refusal when the allocation is or goes away, and with send's error.
func (s *Service) Watch(ctx context.Context, project, id string, follow bool, send func(netmodel.ReceiptView) error) error {
	wake := make(chan struct{}, 1)
	s.mu.Lock()
	s.watchers[wake] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, wake)
	}()
	var last netmodel.ReceiptView
	for first := true; ; first = false {
		view, found := s.look(project, id)
		if !found {
			return store.Refuse(store.NotFound, "project %s has no allocation %s", project, id)
		}
		if first || !same(view, last) {
			if err := send(view); err != nil {
				return err
			}
			last = view
		}
		if len(view.Stamps) == len(netmodel.Phases) && !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
		}
	}
}

func (s *Service) look(project, id string) (view netmodel.ReceiptView, found bool) {
	s.store.Read(func(d *store.Data) {
		a, ok := d.Allocations[store.Named{Project: project, ID: id}]
		if ok {
			view, found = View(d, a.Value), true
		}
	})
	return view, found
}

func same(a, b netmodel.ReceiptView) bool {
	return a.Generation == b.Generation && len(a.Stamps) == len(b.Stamps) && a.Degraded == b.Degraded && slices.Equal(a.WaitingFor, b.WaitingFor)
}
