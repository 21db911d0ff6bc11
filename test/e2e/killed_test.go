package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/fabric"
	"github.com/pointsman/pointsman/test/lab"
)

// longestChange is about how many operations a move takes. What an agent does beyond is to set right what somebody else did meanwhile.
const longestChange = 130

// TestAgentKilledInTheMiddle: agents that are killed after every tenth operation of an allocation, a move and a release converge to
// the same end once they are back, and another tenant loses no packet.
func TestAgentKilledInTheMiddle(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		p := newPair(ctx, t, f, "killed-other")
		network(ctx, t, f, "killed-a", "10.2.0.0/24", "fd02::/64")
		network(ctx, t, f, "killed-b", "10.3.0.0/24", "fd03::/64")
		killed := map[string][]int{} // after how many operations, by what was being done
		worst := p.measured(ctx, t, f, "another tenant, while the agents of leaf01 and leaf02 are killed", func() {
			for after := 10; after <= longestChange && killedAfter(ctx, t, f, map[string]int{"leaf01": after, "leaf02": after + 10}, killed); after += 20 {
			}
		})
		for _, what := range []string{"allocation", "move", "release"} {
			t.Logf("an agent was killed in the middle of %s after %v operations", what, killed[what])
			if len(killed[what]) < 3 {
				t.Errorf("%s: killed only after %v operations", what, killed[what])
			}
		}
		if worst.Lost > 0 {
			t.Errorf("another tenant lost %d packets, longest gap %v", worst.Lost, worst.Gap)
		}
		release(ctx, t, f, p.a, p.b)
	})
}

// killedAfter takes machine02 through allocation, move and release, has the agent of each of its leaves killed that many operations into
// each, and says whether any was that long.
func killedAfter(ctx context.Context, t *testing.T, f *fabric.Fabric, after map[string]int, killed map[string][]int) (any bool) {
	t.Helper()
	leaves := slices.Sorted(maps.Keys(after))
	during := func(what string, do func()) {
		t.Helper()
		for _, leaf := range leaves {
			if err := f.Lab.WriteFile(ctx, leaf, lab.Failpoint, fmt.Append(nil, after[leaf]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		do()
		for _, leaf := range leaves {
			await(ctx, t, leaf+" has tidied up", func(ctx context.Context) error { return idle(ctx, f, leaf) })
			if sh(ctx, t, f, leaf, "if [ -e "+lab.Failpoint+" ]; then rm "+lab.Failpoint+"; echo armed; fi") == "" {
				killed[what], any = append(killed[what], after[leaf]), true
			}
		}
	}
	var a *apiv1.Allocation
	during("allocation", func() { a = allocate(ctx, t, f, "killed-a", "machine02") })
	during("move", func() {
		var err error
		if a, err = f.API.Move(ctx, a.Id, "killed-b"); err != nil {
			t.Fatal(err)
		}
		waitPhase(ctx, t, f, a.Id, apiv1.Phase_PHASE_REACHABLE)
	})
	during("release", func() { release(ctx, t, f, a) })
	return any
}

// idle says whether a switch has nothing left to do: its ports are told before it tidies up behind them.
func idle(ctx context.Context, f *fabric.Fabric, name string) error {
	s, err := f.API.Switches.GetSwitch(ctx, &apiv1.GetSwitchRequest{Id: name})
	if err != nil {
		return err
	}
	if drift := s.Status.GetDrift(); !s.Alive || len(drift) > 0 {
		return fmt.Errorf("%s: alive %v, still to do: %v", name, s.Alive, drift)
	}
	return nil
}
