package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pointsmanctl/internal/output"
)

// freePoll is how often a machine is asked for while its release is proven. The API has no stream of machines.
const freePoll = 10 * time.Millisecond

func (a *app) releaseCommand() *cobra.Command {
	var wait waiting
	cmd := &cobra.Command{
		Use:   "release ALLOCATION",
		Short: "Release a machine",
		Long: `Release a machine: its ephemeral addresses and its ASN go, its leaf ports return to the provisioning network.
The machine is free again once both leaves have proven that. --wait waits for it.`,
		Example:           "  pointsmanctl release web1\n  pointsmanctl release web1 --wait",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.allocationIDs),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			allocation, err := c.allocations.GetAllocation(ctx, &apiv1.GetAllocationRequest{Project: a.project, Id: args[0]})
			if err != nil {
				return err
			}
			started := a.Now()
			r, err := c.allocations.DeleteAllocation(ctx, &apiv1.DeleteAllocationRequest{RequestId: requestID(), Project: a.project, Id: args[0]})
			if err != nil {
				return err
			}
			if wait.wanted {
				return a.awaitFree(ctx, c, allocation, started, wait)
			}
			return a.printReleased(allocation, r)
		}),
	}
	wait.flags(cmd, "until the machine is free again")
	return cmd
}

func (a *app) printReleased(allocation *apiv1.Allocation, r *apiv1.DeleteAllocationResponse) error {
	if a.printer().Structured() {
		return a.printer().Message(r)
	}
	a.say("allocation %s is released", allocation.GetId())
	for _, p := range r.GetPendingRelease() {
		a.say("machine %s is free when %s", allocation.GetMachine(), output.Pending(p))
	}
	return nil
}

// awaitFree waits until the released machine is free, and says what keeps it.
func (a *app) awaitFree(ctx context.Context, c *client, allocation *apiv1.Allocation, started time.Time, wait waiting) error {
	show := a.progress()
	defer show.done()
	poll := time.NewTicker(freePoll)
	defer poll.Stop()
	told := time.NewTicker(show.every)
	defer told.Stop()
	deadline := time.After(wait.timeout)
	for {
		m, err := c.machines.GetMachine(ctx, &apiv1.GetMachineRequest{Id: allocation.GetMachine()})
		if err != nil && status.Code(err) != codes.Unavailable {
			return err
		}
		if err == nil && m.GetAllocation() != allocation.GetId() && m.GetState() != apiv1.MachineState_MACHINE_STATE_RELEASING {
			show.done()
			return a.printFree(m, allocation, a.Now().Sub(started))
		}
		show.waitsFor(pending(m))
	wait:
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-deadline:
				return fmt.Errorf("machine %s is not free after %s: %s. If that leaf will not come back, see pointsmanctl machine override-release --help",
					allocation.GetMachine(), wait.timeout, pending(m))
			case <-told.C:
				show.tick()
			case <-poll.C:
				break wait
			}
		}
	}
}

func (a *app) printFree(m *apiv1.Machine, allocation *apiv1.Allocation, took time.Duration) error {
	if a.printer().Structured() {
		return a.printer().Machine(m)
	}
	a.say("allocation %s is released; machine %s is %s after %.1f ms", allocation.GetId(), m.GetId(), output.Word(m.GetState()), float64(took)/1e6)
	return nil
}

// pending is what keeps a released machine from being free.
func pending(m *apiv1.Machine) string {
	var out []string
	for _, p := range m.GetPendingRelease() {
		out = append(out, output.Pending(p))
	}
	if len(out) == 0 {
		return "the machine's leaves"
	}
	return strings.Join(out, "; ")
}
