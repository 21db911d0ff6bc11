// Package intent follows what the control plane asks of this switch: it lists and watches the switch's own prefix in etcd, keeps
// the last intent on disk, and decides whether the store may be believed. It changes nothing on the switch. The agent's run
// command calls it; reconcile gets its snapshots.
//
// The rule above all others: absence changes nothing. A store without our configuration, another store, or an older one than we
// have seen is reported, and the last intent stays in force until somebody says `pointsman-agent adopt`.
package intent

import (
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Snapshot is everything that is in force, level-triggered: a later one replaces an earlier one whole. Its maps are never written
// again.
type Snapshot struct {
	Intent plan.Intent
	// Received is when the present generation of each port was read, by this switch's clock.
	Received map[string]time.Time
	// Problems are ports whose stored intent cannot be read; their last readable one stays in force.
	Problems map[string]error
	// State and Reason tell whether the store is followed, and why not.
	State  netmodel.AgentState
	Reason string
	// FromDisk tells that the store was not reached yet.
	FromDisk bool
}

// Known tells whether there is an intent at all; before the first one nothing may be touched.
func (s Snapshot) Known() bool { return s.Intent.Config.Switch != "" }

// last is what is in force and where it came from.
type last struct {
	storeUUID string
	revision  int64
	intent    plan.Intent
	received  map[string]time.Time
}

func (l last) known() bool { return l.intent.Config.Switch != "" }
