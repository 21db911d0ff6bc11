package command

import (
	"context"

	"github.com/spf13/cobra"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

func (a *app) allocationCommand() *cobra.Command {
	return group("allocation", "Allocations: machines in networks", a.allocationListCommand(), a.allocationGetCommand(), a.allocationUpdateCommand())
}

func (a *app) allocationListCommand() *cobra.Command {
	var network, filter string
	var watch bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List allocations and how far each has come",
		Example: "  pointsmanctl allocation list\n  pointsmanctl allocation list --network blue -o wide\n  pointsmanctl allocation list -w",
		Args:    cobra.NoArgs,
		RunE: a.ask(func(ctx context.Context, c *client, _ []string) error {
			if watch {
				return a.watchAllocations(ctx, c, &apiv1.WatchAllocationsRequest{Project: a.project, Network: network, Filter: filter})
			}
			r, err := c.allocations.ListAllocations(ctx, &apiv1.ListAllocationsRequest{Project: a.project, Network: network, Filter: filter})
			if err != nil {
				return err
			}
			return a.printer().Allocations(r)
		}),
	}
	watchFlag(cmd, &watch)
	filterFlag(cmd, &filter, `receipt.degraded = true`)
	cmd.Flags().StringVar(&network, "network", "", "only allocations in this network")
	a.completeFlag(cmd, "network", a.networkIDs)
	return cmd
}

func (a *app) allocationGetCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:               "get ALLOCATION",
		Short:             "Show one allocation with its receipt",
		Example:           "  pointsmanctl allocation get web1\n  pointsmanctl allocation get web1 -o json",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.allocationIDs),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			allocation, err := c.allocations.GetAllocation(ctx, &apiv1.GetAllocationRequest{Project: a.project, Id: args[0]})
			if err != nil {
				return err
			}
			if watch {
				return a.watchAllocations(ctx, c, &apiv1.WatchAllocationsRequest{Project: allocation.GetProject(), Filter: only("id", args[0])})
			}
			return a.printer().Allocation(allocation)
		}),
	}
	watchFlag(cmd, &watch)
	return cmd
}
