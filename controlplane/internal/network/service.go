// Package network creates and deletes networks, and holds and frees their addresses: each change is one transaction. The API
// calls it. Which number is free, and where a prefix fits, is decided by ipam.
package network

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Service changes and lists networks and addresses. Safe for concurrent use, by any number of replicas.
type Service struct {
	store      *store.Store
	quarantine time.Duration
}

// New makes a Service. Released numbers rest for quarantine.
func New(s *store.Store, quarantine time.Duration) *Service {
	return &Service{store: s, quarantine: quarantine}
}

// CreateRequest asks for a network. Prefixes are explicit, or else carved from Pool with these lengths; 0 means the pool's
// defaults. An empty ID is generated.
type CreateRequest struct {
	Project, ID                          string
	Kind                                 netmodel.NetworkKind
	Description                          string
	Prefixes                             []netip.Prefix
	Pool                                 string
	IPv4Length, IPv6Length               int
	Announceable                         []netmodel.Grant
	DefaultIPv4Length, DefaultIPv6Length int
}

// Family selects a family where a network has both.
type Family int

// Families.
const (
	AnyFamily Family = 0
	IPv4      Family = 4
	IPv6      Family = 6
)

// IPRequest asks for a static address: a given one, or a free one of a family.
type IPRequest struct {
	Project, Network string
	Address          netip.Addr
	Family           Family
	Description      string
}

var errNotYet = errors.New("not built yet")

func (s *Service) Create(ctx context.Context, call store.Call, r CreateRequest) (netmodel.Network, error) {
	return netmodel.Network{}, errNotYet
}

// Delete refuses while addresses of the network are held or rest in quarantine, or prefixes of a pool are carved.
func (s *Service) Delete(ctx context.Context, call store.Call, project, id string) error {
	return errNotYet
}

func (s *Service) Get(project, id string) (netmodel.Network, error) {
	return netmodel.Network{}, errNotYet
}

// List returns the networks of a project; empty is any project, an empty kind any kind.
func (s *Service) List(project string, kind netmodel.NetworkKind) []netmodel.Network { return nil }

func (s *Service) CreateIP(ctx context.Context, call store.Call, r IPRequest) (netmodel.IP, error) {
	return netmodel.IP{}, errNotYet
}

// DeleteIP frees a static address; it rests in quarantine.
func (s *Service) DeleteIP(ctx context.Context, call store.Call, project, network string, address netip.Addr) error {
	return errNotYet
}

func (s *Service) GetIP(project, network string, address netip.Addr) (netmodel.IP, error) {
	return netmodel.IP{}, errNotYet
}

// ListIPs returns addresses, quarantined ones too; empty project or network is any.
func (s *Service) ListIPs(project, network string) []netmodel.IP { return nil }
