// Package allocate gives machines to projects, moves them and takes them back: one etcd transaction each, which compares
// everything that the decision was made from. The API calls it. What it reads is the store's cache; nothing is locked.
package allocate

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"

	"github.com/pointsman/pointsman/controlplane/internal/receipt"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Service allocates. Safe for concurrent use, by any number of replicas.
type Service struct {
	store      *store.Store
	quarantine time.Duration
}

// New makes a Service. Released numbers rest for quarantine.
func New(s *store.Store, quarantine time.Duration) *Service {
	return &Service{store: s, quarantine: quarantine}
}

// Get returns an allocation with its receipt.
func (s *Service) Get(project, id string) (netmodel.AllocationView, error) {
	var v netmodel.AllocationView
	var err error
	s.store.Read(func(d *store.Data) {
		o, found := d.Allocations[store.Named{Project: project, ID: id}]
		if !found {
			err = unknown(project, id)
			return
		}
		v = View(d, o.Value)
	})
	return v, err
}

// List returns allocations sorted by id; empty project or network is any.
func (s *Service) List(project, network string) []netmodel.AllocationView {
	var out []netmodel.AllocationView
	s.store.Read(func(d *store.Data) {
		for k, o := range d.Allocations {
			if (project == "" || k.Project == project) && (network == "" || o.Value.Attachments[0].Network == network) {
				out = append(out, View(d, o.Value))
			}
		}
	})
	slices.SortFunc(out, func(a, b netmodel.AllocationView) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// View is an allocation with its receipt.
func View(d *store.Data, a netmodel.Allocation) netmodel.AllocationView {
	return netmodel.AllocationView{Allocation: a, Receipt: receipt.View(d, a)}
}

// shown is the view of an allocation that was just committed: of what is stored by now, if another change has not removed it.
func (s *Service) shown(a netmodel.Allocation) netmodel.AllocationView {
	v, err := s.Get(a.Project, a.ID)
	if err != nil {
		return netmodel.AllocationView{Allocation: a}
	}
	return v
}

func unknown(project, id string) error {
	return store.Refuse(store.NotFound, "project %q has no allocation %q", project, id)
}

// newID is a generated id: a DNS label.
func newID() string {
	var raw [5]byte
	_, _ = rand.Read(raw[:]) // never fails (crypto/rand)
	return "a-" + hex.EncodeToString(raw[:])
}

// allocated writes the receipt of an allocation's new generation with its first stamp.
func allocated(t *store.Txn, a netmodel.Allocation, now time.Time) {
	r := netmodel.Receipt{
		Allocation: a.ID, Project: a.Project, Generation: a.Generation, Machine: a.Machine,
		Stamps: []netmodel.PhaseStamp{{Phase: netmodel.PhaseAllocated, Time: now}},
	}
	store.Put(t, keys.Receipt(a.ID), wire.ReceiptCodec, r)
}
