package api

import (
	"log/slog"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// Health says SERVING while nothing stands against it. It is safe for concurrent use.
type Health struct {
	server *health.Server
	log    *slog.Logger

	mu      sync.Mutex
	against map[string]bool
}

// Reasons against serving.
const (
	// CachesBehind: the caches do not hold the store's present state yet, so that reads would be incomplete.
	CachesBehind = "caches are not in sync with etcd yet"
	// StoreFull: etcd refuses writes for want of space.
	StoreFull = "etcd is full and refuses writes"
)

// NewHealth begins with reasons against serving; each is taken away with Set.
func NewHealth(log *slog.Logger, against ...string) *Health {
	h := &Health{server: health.NewServer(), log: log, against: map[string]bool{}}
	for _, reason := range against {
		h.against[reason] = true
	}
	h.tell()
	return h
}

// Set says whether a reason against serving holds.
func (h *Health) Set(reason string, holds bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.against[reason] == holds {
		return
	}
	if holds {
		h.against[reason] = true
	} else {
		delete(h.against, reason)
	}
	h.tell()
}

func (h *Health) tell() {
	reasons := make([]string, 0, len(h.against))
	for r := range h.against {
		reasons = append(reasons, r)
	}
	slices.Sort(reasons)
	if len(reasons) == 0 {
		h.log.Info("serving")
		h.server.SetServingStatus("", grpc_health_v1.HealthCheckResponse_SERVING)
		return
	}
	h.log.Info("not serving", "because", strings.Join(reasons, "; "))
	h.server.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
}
