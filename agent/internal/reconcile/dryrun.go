package reconcile

import (
	"context"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
)

// DryRun returns the steps that a pass would take now, and the ports that could not be placed. It changes nothing.
func DryRun(ctx context.Context, sys system.System, in plan.Intent, stateDir string) ([]plan.Op, []plan.Problem, error) {
	k, err := readKept(stateDir)
	if err != nil {
		return nil, nil, err
	}
	l := &Loop{cfg: Config{System: sys}, kept: k}
	read, err := l.look(ctx, k.reversions().over(in))
	return read.ops, read.problems, err
}
