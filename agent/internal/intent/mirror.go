package intent

import (
	"errors"
	"maps"
	"strings"

	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// mirror is what etcd holds below the switch's prefix at a revision. Values are decoded once, when they come in: a fabric has
// thousands of probes, and one port's change must not cost reading them all.
type mirror struct {
	prefix   string
	revision int64
	config   *decoded[netmodel.SwitchConfig]
	ports    map[string]decoded[netmodel.PortIntent]
	vrfs     map[string]decoded[netmodel.VRFIntent]
	// probes are those that could be read. The map is given away, so it is copied before it changes, once for each response.
	probes map[string]netmodel.Probe
	given  bool
}

type decoded[V any] struct {
	value V
	err   error
}

func decode[V any](codec wire.Codec[V], raw []byte) decoded[V] {
	v, err := codec.Decode(raw)
	return decoded[V]{v, err}
}

func newMirror(sw string) *mirror {
	return &mirror{
		prefix: keys.SwitchIntents(sw), ports: map[string]decoded[netmodel.PortIntent]{}, vrfs: map[string]decoded[netmodel.VRFIntent]{},
		probes: map[string]netmodel.Probe{},
	}
}

func (m *mirror) put(key string, value []byte) {
	kind, name := m.split(key)
	switch kind {
	case "config":
		d := decode(wire.SwitchConfigCodec, value)
		m.config = &d
	case "ports":
		d := decode(wire.PortIntentCodec, value)
		if d.err == nil && d.value.Mode == "" {
			d.err = errors.New("read PortIntent: mode: unknown to this agent")
		}
		d.value.Port = name // the key is what counts
		m.ports[name] = d
	case "vrfs":
		d := decode(wire.VRFIntentCodec, value)
		d.value.VRF = name
		m.vrfs[name] = d
	case "probes":
		m.ownProbes()
		if probe, err := wire.ProbeCodec.Decode(value); err == nil {
			m.probes[name] = probe
		} else {
			delete(m.probes, name)
		}
	}
}

func (m *mirror) ownProbes() {
	if m.given {
		m.probes, m.given = maps.Clone(m.probes), false
	}
}

// giveProbes returns the probes; they are never written again.
func (m *mirror) giveProbes() map[string]netmodel.Probe {
	m.given = true
	return m.probes
}

func (m *mirror) delete(key string) {
	switch kind, name := m.split(key); kind {
	case "config":
		m.config = nil
	case "ports":
		delete(m.ports, name)
	case "vrfs":
		delete(m.vrfs, name)
	case "probes":
		m.ownProbes()
		delete(m.probes, name)
	}
}

// split returns the kind of a key, and the name behind it. Kinds that a newer control plane writes are not ours to judge.
func (m *mirror) split(key string) (kind, name string) {
	rest, _ := strings.CutPrefix(key, m.prefix)
	kind, name, _ = strings.Cut(rest, "/")
	return kind, name
}
