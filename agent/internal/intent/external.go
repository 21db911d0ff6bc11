package intent

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// external takes the intents of VRFs apart, by external port. Two VRFs that claim a port are the control plane's mistake; the first by
// name has it.
func (m *mirror) external() map[string]netmodel.PortIntent {
	out := map[string]netmodel.PortIntent{}
	for _, name := range slices.Sorted(maps.Keys(m.vrfs)) {
		if m.vrfs[name].err != nil {
			continue
		}
		for _, p := range m.vrfs[name].value.Ports() {
			if _, claimed := out[p.Port]; !claimed {
				out[p.Port] = p
			}
		}
	}
	return out
}

// takeExternal puts an external port in force. Unlike a machine port it has no key of its own that says where it is when no VRF wants
// it: then it is down, as its network is gone. A VRF whose intent cannot be read keeps the port where it was.
func (l *last) takeExternal(port string, was last, m *mirror, external map[string]netmodel.PortIntent, now time.Time) error {
	if wanted, ok := external[port]; ok {
		l.put(port, wanted, was, now)
		return nil
	}
	before := was.intent.Ports[port]
	if stored := m.vrfs[before.VRF]; stored.err != nil {
		l.put(port, before, was, now)
		return fmt.Errorf("read intent of VRF %q of port %q: %w", before.VRF, port, stored.err)
	}
	l.put(port, netmodel.PortIntent{Switch: l.intent.Config.Switch, Port: port, Mode: netmodel.ModeDisabled}, was, now)
	return nil
}
