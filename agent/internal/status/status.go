// Package status reports into etcd what a switch is: ports, sessions, probes, neighbours, the agent itself and its heartbeat. It
// owns the agent's keys there; what they say is decided elsewhere. A key is written only when what it says has changed, after a
// restart or an outage of etcd too, and nobody who reports ever waits for etcd. The agent's run command wires it up.
package status

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Writer keeps etcd in step with what it is told. Its methods may be called from anywhere and do not block.
type Writer struct {
	sw     string
	client *clientv3.Client
	log    *slog.Logger
	wake   chan struct{}

	mu      sync.Mutex
	want    map[string]entry // by key: what must be there
	owned   map[string]bool  // prefixes whose other keys are deleted
	present map[string]bool  // ports that exist; nil until told

	// Only Run touches it.
	stored map[string][]byte
}

// entry is a value in both its forms.
type entry struct {
	raw []byte
	// same tells whether stored bytes say the same, apart from times that a restart takes anew.
	same func(stored []byte) bool
}

// New makes a Writer for one switch.
func New(sw string, client *clientv3.Client, log *slog.Logger) *Writer {
	return &Writer{
		sw: sw, client: client, log: log, wake: make(chan struct{}, 1),
		want: map[string]entry{}, owned: map[string]bool{},
	}
}

// SetPorts reports all ports; keys of others are deleted.
func (w *Writer) SetPorts(ports map[string]netmodel.PortStatus) {
	setAll(w, keys.PortStatus(w.sw, ""), ports, wire.PortStatusCodec, samePort)
}

// SetSessions reports all sessions; keys of others are deleted.
func (w *Writer) SetSessions(sessions map[string]netmodel.SessionStatus) {
	setAll(w, keys.SessionStatus(w.sw, ""), sessions, wire.SessionStatusCodec, sameSession)
}

// SetProbes reports all probes; keys of others are deleted.
func (w *Writer) SetProbes(probes map[string]netmodel.ProbeStatus) {
	setAll(w, keys.ProbeStatus(w.sw, ""), probes, wire.ProbeStatusCodec, sameProbe)
}

// SetAgent reports the switch as a whole.
func (w *Writer) SetAgent(s netmodel.SwitchStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	set(w, keys.AgentStatus(w.sw), s, wire.SwitchStatusCodec, sameSwitch)
	w.present = map[string]bool{}
	for _, port := range s.Ports {
		w.present[port] = true
	}
	w.rouse()
}

// SetDiscovery reports who was heard on a port. Keys of ports that no longer exist are deleted.
func (w *Writer) SetDiscovery(d netmodel.Discovery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	set(w, keys.Discovery(w.sw, d.Port), d, wire.DiscoveryCodec, sameDiscovery)
	w.rouse()
}

func setAll[V any](w *Writer, prefix string, values map[string]V, codec wire.Codec[V], same func(a, b V) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owned[prefix] = true
	for key := range w.want {
		if name, ok := under(prefix, key); ok {
			if _, keep := values[name]; !keep {
				delete(w.want, key)
			}
		}
	}
	for name, v := range values {
		set(w, prefix+name, v, codec, same)
	}
	w.rouse()
}

// set is called with the lock held.
func set[V any](w *Writer, key string, v V, codec wire.Codec[V], same func(a, b V) bool) {
	says := func(raw []byte) bool {
		old, err := codec.Decode(raw)
		return err == nil && same(old, v)
	}
	if old, ok := w.want[key]; ok && says(old.raw) {
		return // the times of when it was first said stay
	}
	raw, err := codec.Encode(v)
	if err != nil {
		w.log.Error("cannot report", "key", key, "err", err)
		return
	}
	w.want[key] = entry{raw: raw, same: says}
}

func under(prefix, key string) (name string, ok bool) {
	if len(key) <= len(prefix) || key[:len(prefix)] != prefix {
		return "", false
	}
	return key[len(prefix):], true
}

func (w *Writer) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends.
func (w *Writer) Run(ctx context.Context) error {
	wait := minWait
	for ctx.Err() == nil {
		if err := w.session(ctx); ctx.Err() == nil {
			w.log.Debug("reports wait for etcd", "err", err)
		}
		pause(ctx, wait)
		wait = min(wait*2, maxWait)
		if w.stored != nil {
			wait = minWait
		}
	}
	return nil
}

const (
	minWait = 100 * time.Millisecond
	maxWait = 2 * time.Second
)

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func sorted(m map[string][]byte) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
