package command

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

func (a *app) receiptCommand() *cobra.Command {
	var wait waiting
	cmd := &cobra.Command{
		Use:   "receipt ALLOCATION",
		Short: "Show how far an allocation has come, in milliseconds, and what it waits for",
		Example: `  pointsmanctl receipt web1
  pointsmanctl receipt web1 --wait -o wide`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.allocationIDs),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			allocation, err := c.allocations.GetAllocation(ctx, &apiv1.GetAllocationRequest{Project: a.project, Id: args[0]})
			if err != nil {
				return err
			}
			receipt := allocation.GetReceipt()
			if wait.wanted {
				var waitErr error
				receipt, waitErr = a.awaitReachable(ctx, c, allocation, wait)
				if receipt == nil {
					return waitErr
				}
				return errors.Join(waitErr, a.printer().Receipt(receipt))
			}
			return a.printer().Receipt(receipt)
		}),
	}
	wait.flags(cmd, "until the machine is reachable")
	return cmd
}
