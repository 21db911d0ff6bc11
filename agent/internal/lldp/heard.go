package lldp

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Heard is a neighbour as the listener has it now.
type Heard struct {
	Port      string
	Neighbour netmodel.Neighbour
	// Expires is when it is forgotten unless it is heard again.
	Expires time.Time
}

// hearing is what all ports hear, for whoever asks while the listener runs. A port that is listened on and silent is there, empty.
type hearing struct {
	mu    sync.Mutex
	ports map[string][]entry
}

func (h *hearing) set(port string, entries []entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ports == nil {
		h.ports = map[string][]entry{}
	}
	h.ports[port] = slices.Clone(entries)
}

func (h *hearing) forget(port string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.ports, port)
}

// Heard returns the neighbours of all ports, sorted by port. It may be called at any time.
func (l *Listener) Heard() []Heard {
	l.heard.mu.Lock()
	defer l.heard.mu.Unlock()
	var out []Heard
	for _, port := range slices.Sorted(maps.Keys(l.heard.ports)) {
		for _, e := range l.heard.ports[port] {
			out = append(out, Heard{port, e.neighbour, e.expires})
		}
	}
	return out
}

// Listening returns the ports that are listened on, sorted.
func (l *Listener) Listening() []string {
	l.heard.mu.Lock()
	defer l.heard.mu.Unlock()
	return slices.Sorted(maps.Keys(l.heard.ports))
}
