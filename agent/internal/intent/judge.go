package intent

import (
	"fmt"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// verdict is what comes of looking at the store.
type verdict struct {
	last     last
	holding  string // why the store is not followed; "" if it is
	problems map[string]error
	adopted  bool // the store was accepted only because an operator said so
}

// judge decides what is in force, given what was and what the store holds. Pure: the clock is passed in.
func judge(sw string, was last, m *mirror, adopt bool, now time.Time) verdict {
	doubt, adoptable := doubts(sw, was, m)
	if doubt != "" && (!adoptable || !adopt) {
		return verdict{last: was, holding: doubt}
	}
	is := last{storeUUID: m.config.value.StoreUUID, revision: m.revision, received: map[string]time.Time{}}
	is.intent = plan.Intent{Config: m.config.value, Ports: map[string]netmodel.PortIntent{}, Probes: m.giveProbes()}
	v := verdict{problems: map[string]error{}, adopted: doubt != ""}
	external := m.external()
	for _, port := range is.intent.Config.Ports {
		var err error
		switch port.Role {
		case netmodel.PortMachine:
			err = is.takePort(port.Name, was, m, now)
		case netmodel.PortExternal:
			err = is.takeExternal(port.Name, was, m, external, now)
		}
		if err != nil {
			v.problems[port.Name] = err
		}
	}
	v.last = is
	return v
}

// takePort puts one port in force: what the store says, or else what was.
func (l *last) takePort(port string, was last, m *mirror, now time.Time) error {
	if before, had := was.intent.Ports[port]; had {
		l.intent.Ports[port], l.received[port] = before, was.received[port]
	}
	stored, ok := m.ports[port]
	switch {
	case !ok: // a port is never dismantled by absence; while it is listed, its last intent stays
		return nil
	case stored.err != nil:
		return fmt.Errorf("read intent of port %q: %w", port, stored.err)
	}
	l.put(port, stored.value, was, now)
	return nil
}

// put puts an intent in force, and notes when its generation came.
func (l *last) put(port string, intent netmodel.PortIntent, was last, now time.Time) {
	before, had := was.intent.Ports[port]
	l.received[port] = was.received[port]
	if !had || before.Generation != intent.Generation || was.storeUUID != l.storeUUID {
		l.received[port] = now
	}
	l.intent.Ports[port] = intent
}

// doubts tells why the store cannot be followed, and whether an operator may overrule that. What is not there cannot be adopted.
func doubts(sw string, was last, m *mirror) (doubt string, adoptable bool) {
	switch {
	case m.config == nil:
		return fmt.Sprintf("the store has no configuration of switch %q", sw), false
	case m.config.err != nil:
		return fmt.Sprintf("the stored configuration cannot be read: %v", m.config.err), false
	case m.config.value.Switch != sw:
		return fmt.Sprintf("the stored configuration is of switch %q, this is %q", m.config.value.Switch, sw), false
	case !was.known():
		return "", true
	case was.storeUUID != m.config.value.StoreUUID:
		return fmt.Sprintf("the store is %s, the last intent came from %s", m.config.value.StoreUUID, was.storeUUID), true
	case m.revision < was.revision:
		return fmt.Sprintf("the store is at revision %d, the last intent came from revision %d", m.revision, was.revision), true
	}
	return "", true
}
