// Package network creates and deletes networks, and holds and frees their addresses: each change is one transaction. The API
// calls it. Which number is free, and where a prefix fits, is decided by ipam.
package network

import (
	"cmp"
	"crypto/rand"
	"slices"
	"strings"
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

// Get returns a network of a project.
func (s *Service) Get(project, id string) (netmodel.Network, error) {
	var n netmodel.Network
	var ok bool
	s.store.Read(func(d *store.Data) {
		var o store.Object[netmodel.Network]
		o, ok = d.Networks[store.Named{Project: project, ID: id}]
		n = o.Value
	})
	if !ok {
		return n, unknown(project, id)
	}
	return n, nil
}

// List returns the networks of a project, sorted; empty is any project, an empty kind any kind.
func (s *Service) List(project string, kind netmodel.NetworkKind) []netmodel.Network {
	var out []netmodel.Network
	s.store.Read(func(d *store.Data) {
		for _, o := range d.Networks {
			if (project == "" || o.Value.Project == project) && (kind == "" || o.Value.Kind == kind) {
				out = append(out, o.Value)
			}
		}
	})
	slices.SortFunc(out, func(a, b netmodel.Network) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func unknown(project, id string) error {
	return store.Refuse(store.NotFound, "project %q has no network %q", project, id)
}

// generatedID names a resource whose creator did not.
func generatedID(kind string) string { return kind + "-" + strings.ToLower(rand.Text()[:10]) }

// find returns the network that a project means by an id.
func find(d *store.Data, project, id string) (store.Object[netmodel.Network], error) {
	o, ok := d.Network(project, id)
	if !ok {
		return o, unknown(project, id)
	}
	return o, nil
}
