package command

import (
	"context"

	"github.com/spf13/cobra"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

func (a *app) allocateCommand() *cobra.Command {
	req := &apiv1.CreateAllocationRequest{}
	to := &apiv1.Attachment{}
	var wait waiting
	cmd := &cobra.Command{
		Use:   "allocate --network NETWORK",
		Short: "Allocate a machine in a network",
		Long: `Allocate a machine: a given one, or any that is free. It is committed at once, with its addresses and its ASN; --wait
follows it until its routes are proven in the whole fabric, and prints the receipt:

  allocated    the machine, its addresses and its leaf ports are its own
  configured   both leaves read back that their ports are so
  connected    BGP is established on both
  reachable    every live spine and every other live leaf of the network holds its routes`,
		Example: `  pointsmanctl allocate --network blue --wait
  pointsmanctl allocate --network blue --machine machine01 --id web1 --hostname web1
  pointsmanctl allocate --network blue --rack rack1 --address 10.64.0.5 --wait --wait-timeout 10s -o json`,
		Args: cobra.NoArgs,
		RunE: a.ask(func(ctx context.Context, c *client, _ []string) error {
			req.RequestId, req.Project, req.Attachments = requestID(), a.project, []*apiv1.Attachment{to}
			allocation, err := c.allocations.CreateAllocation(ctx, req)
			if err != nil {
				return err
			}
			return a.followed(ctx, c, allocation, wait)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&req.Machine, "machine", "", "this machine (default: any that is free)")
	f.StringVar(&req.Rack, "rack", "", "only a machine of this rack")
	f.StringVar(&req.Id, "id", "", "name of the allocation (default: a generated one)")
	f.StringVar(&req.Hostname, "hostname", "", "host name of the machine")
	f.StringVar(&req.Description, "description", "", "a description for people")
	a.attachmentFlags(cmd, to)
	wait.flags(cmd, "until the machine is reachable, and print the receipt")
	a.completeFlag(cmd, "machine", a.freeMachineIDs)
	a.completeFlag(cmd, "rack", a.rackIDs)
	return cmd
}

func (a *app) moveCommand() *cobra.Command {
	to := &apiv1.Attachment{}
	var wait waiting
	var version string
	cmd := &cobra.Command{
		Use:   "move ALLOCATION --network NETWORK",
		Short: "Move a machine to another network: same ASN, new addresses",
		Example: `  pointsmanctl move web1 --network green --wait
  pointsmanctl move web1 --network green --address 10.1.0.5`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.allocationIDs),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			allocation, err := c.allocations.UpdateAllocation(ctx, &apiv1.UpdateAllocationRequest{
				RequestId: requestID(), Project: a.project, Id: args[0], Attachments: []*apiv1.Attachment{to}, ResourceVersion: version,
			})
			if err != nil {
				return err
			}
			return a.followed(ctx, c, allocation, wait)
		}),
	}
	a.attachmentFlags(cmd, to)
	versionFlag(cmd, &version)
	wait.flags(cmd, "until the machine is reachable there, and print the receipt")
	return cmd
}

// attachmentFlags are those that say where a machine goes.
func (a *app) attachmentFlags(cmd *cobra.Command, to *apiv1.Attachment) {
	a.requireNetwork(cmd, &to.Network, "the network that the machine goes to")
	cmd.Flags().StringArrayVar(&to.Addresses, "address", nil, "a static address held before (default: the next free one of each family); repeat for more")
	cmd.Flags().StringArrayVar(&to.ServiceAddresses, "service-address", nil, "a static address that the machine may announce besides its own; repeat for more")
	a.completeFlag(cmd, "address", a.addresses)
	a.completeFlag(cmd, "service-address", a.addresses)
}

// followed waits if it was asked to, and prints an allocation as it then is.
func (a *app) followed(ctx context.Context, c *client, allocation *apiv1.Allocation, wait waiting) error {
	if !wait.wanted {
		return a.printer().Allocation(allocation)
	}
	receipt, err := a.awaitReachable(ctx, c, allocation, wait)
	if receipt != nil {
		allocation.Receipt = receipt
		if printErr := a.printer().Allocation(allocation); err == nil {
			err = printErr
		}
	}
	return err
}
