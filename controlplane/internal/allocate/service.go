// Package allocate gives machines to projects, moves them and takes them back: one etcd transaction each, which compares
// everything that the decision was made from. The API calls it. What it reads is the store's cache; nothing is locked.
package allocate

import (
	"context"
	"errors"
	"time"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/netmodel"
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

// Request asks for a machine: a given one, or any that is free, of a rack or of any. An empty ID is generated.
type Request struct {
	Project, ID   string
	Machine, Rack string
	Attachments   []netmodel.Attachment
	Hostname      string
	Description   string
}

var errNotYet = errors.New("not built yet")

// Create allocates a machine. It returns once the allocation is committed; the receipt tells how far it is.
func (s *Service) Create(ctx context.Context, call store.Call, r Request) (netmodel.AllocationView, error) {
	return netmodel.AllocationView{}, errNotYet
}

// Move brings the machine into other networks: same ASN, new addresses, generation one higher.
func (s *Service) Move(ctx context.Context, call store.Call, project, id string, to []netmodel.Attachment) (netmodel.AllocationView, error) {
	return netmodel.AllocationView{}, errNotYet
}

// Release takes the machine back. The answer is the ports that have to prove it before the machine is free again.
func (s *Service) Release(ctx context.Context, call store.Call, project, id string) ([]netmodel.PendingRelease, error) {
	return nil, errNotYet
}

func (s *Service) Get(project, id string) (netmodel.AllocationView, error) {
	return netmodel.AllocationView{}, errNotYet
}

// List returns allocations sorted by id; empty project or network is any.
func (s *Service) List(project, network string) []netmodel.AllocationView { return nil }
