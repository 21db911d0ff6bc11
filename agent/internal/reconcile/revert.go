package reconcile

import (
	"fmt"
	"maps"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// reversion holds a port at an earlier intent, as a generation of it did harm. It ends with a newer generation.
type reversion struct {
	generation uint64
	before     netmodel.PortIntent
	why        string
}

// reversions by port.
type reversions map[string]reversion

// over returns the intent that is in force: reverted ports stay at what they were. Those whose intent has moved on are forgotten.
func (r reversions) over(in plan.Intent) plan.Intent {
	if len(r) == 0 {
		return in
	}
	out := in
	out.Ports = maps.Clone(in.Ports)
	for port, held := range r {
		now, ok := in.Ports[port]
		if !ok || now.Generation != held.generation {
			delete(r, port)
			continue
		}
		out.Ports[port] = held.before
	}
	return out
}

func (r reversion) Error() string {
	return fmt.Sprintf("generation %d was reverted: %s", r.generation, r.why)
}
