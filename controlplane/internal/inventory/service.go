// Package inventory registers switches and machines: the provider's own resources. A switch's registration writes its
// configuration and an intent for each machine port. The API calls it, and Run adopts discovered machines if it is told to.
package inventory

import (
	"crypto/rand"
	"log/slog"
	"strings"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
)

// Options of a Service.
type Options struct {
	// AutoAdopt takes each discovered machine into the inventory.
	AutoAdopt bool
	Log       *slog.Logger
}

// Service changes and lists switches and machines. Safe for concurrent use, by any number of replicas.
type Service struct {
	store *store.Store
	o     Options
	wake  chan struct{}
}

// New makes a Service. Call it before the store's Run.
func New(s *store.Store, o Options) *Service {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	service := &Service{store: s, o: o, wake: make(chan struct{}, 1)}
	if o.AutoAdopt {
		s.Subscribe(service.notice)
	}
	return service
}

// notice wakes Run when what machines are known by, or where they are heard, has changed; nil is a new listing.
func (s *Service) notice(changed []string) {
	concerned := changed == nil
	for _, key := range changed {
		concerned = concerned || strings.HasPrefix(key, keys.Discoveries) || strings.HasPrefix(key, keys.Machines) ||
			strings.HasPrefix(key, keys.Switches) || strings.HasPrefix(key, keys.Intents)
	}
	if !concerned {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// generatedID names a machine whose identity makes no name.
func generatedID() string { return "m-" + strings.ToLower(rand.Text()[:10]) }
