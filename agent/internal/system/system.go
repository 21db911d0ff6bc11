// Package system is the seam between the planner and the network operating systems: each backend observes a switch as the
// canonical state and carries out operations on it. Nothing here decides anything.
package system

import (
	"context"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// System is one network operating system.
type System interface {
	// Name is the word that people know it by: "linux".
	Name() string
	// Observe reads what the switch is. A part that could not be read is listed in State.Unknown, never reported as empty.
	Observe(ctx context.Context) (plan.State, error)
	// Apply carries out ops in order. A failed step skips those that depend on it (same port or VRF) and no others.
	Apply(ctx context.Context, ops []plan.Op) []plan.Result
	// Watch calls kick whenever something changed that Observe would see differently. It returns when ctx ends.
	Watch(ctx context.Context, kick func(why string)) error
}
