package command

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pointsmanctl/internal/output"
)

func (a *app) ipCommand() *cobra.Command {
	return group("ip", "Addresses of networks", a.ipListCommand(), a.ipGetCommand(), a.ipAllocateCommand(), a.ipUpdateCommand(), a.ipReleaseCommand())
}

var families = apiv1.IPFamily(0).Descriptor()

func (a *app) ipListCommand() *cobra.Command {
	var network, filter string
	var watch bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List held and resting addresses",
		Example: "  pointsmanctl ip list --network blue",
		Args:    cobra.NoArgs,
		RunE: a.ask(func(ctx context.Context, c *client, _ []string) error {
			if watch {
				return a.watchIPs(ctx, c, &apiv1.WatchIPsRequest{Project: a.project, Network: network, Filter: filter})
			}
			r, err := c.ips.ListIPs(ctx, &apiv1.ListIPsRequest{Project: a.project, Network: network, Filter: filter})
			if err != nil {
				return err
			}
			return a.printer().IPs(r)
		}),
	}
	watchFlag(cmd, &watch)
	filterFlag(cmd, &filter, `state = quarantined`)
	cmd.Flags().StringVar(&network, "network", "", "only addresses of this network")
	a.completeFlag(cmd, "network", a.networkIDs)
	return cmd
}

func (a *app) ipGetCommand() *cobra.Command {
	var network string
	var watch bool
	cmd := &cobra.Command{
		Use:               "get ADDRESS --network NETWORK",
		Short:             "Show one address",
		Example:           "  pointsmanctl ip get 10.1.0.5 --network blue",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.addresses),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			ip, err := c.ips.GetIP(ctx, &apiv1.GetIPRequest{Project: a.project, Network: network, Address: args[0]})
			if err != nil {
				return err
			}
			if watch {
				return a.watchIPs(ctx, c, &apiv1.WatchIPsRequest{Project: ip.GetProject(), Network: network, Filter: only("address", ip.GetAddress())})
			}
			return a.printer().IP(ip)
		}),
	}
	watchFlag(cmd, &watch)
	a.requireNetwork(cmd, &network, "the network of the address")
	return cmd
}

func (a *app) ipAllocateCommand() *cobra.Command {
	req := &apiv1.CreateIPRequest{}
	var family string
	cmd := &cobra.Command{
		Use:   "allocate --network NETWORK",
		Short: "Hold a static address: the next free one, or a given one",
		Long: `Hold a static address. It stays until it is released, whatever becomes of machines that use it:
give it to a machine with "pointsmanctl allocate --address", or let one announce it as a service with --service-address.`,
		Example: `  pointsmanctl ip allocate --network blue
  pointsmanctl ip allocate --network blue --family ipv6
  pointsmanctl ip allocate --network blue --address 10.1.0.5 --description "the mail server"`,
		Args: cobra.NoArgs,
		RunE: a.ask(func(ctx context.Context, c *client, _ []string) error {
			n, err := word(families, "family", family)
			if err != nil {
				return err
			}
			req.Family, req.RequestId, req.Project = apiv1.IPFamily(n), requestID(), a.project
			ip, err := c.ips.CreateIP(ctx, req)
			if err != nil {
				return err
			}
			return a.printer().IP(ip)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&req.Address, "address", "", "this address (default: the next free one)")
	f.StringVar(&family, "family", "", "family of the next free one where the network has both: "+strings.Join(output.Words(families), ", "))
	f.StringVar(&req.Description, "description", "", "a description for people")
	a.requireNetwork(cmd, &req.Network, "the network to take the address of")
	fixed(cmd, "family", output.Words(families)...)
	return cmd
}

func (a *app) ipReleaseCommand() *cobra.Command {
	var network string
	cmd := &cobra.Command{
		Use:               "release ADDRESS --network NETWORK",
		Short:             "Give a static address back; it rests before it is handed out again",
		Example:           "  pointsmanctl ip release 10.1.0.5 --network blue",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.addresses),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			if _, err := c.ips.DeleteIP(ctx, &apiv1.DeleteIPRequest{RequestId: requestID(), Project: a.project, Network: network, Address: args[0]}); err != nil {
				return err
			}
			a.say("address %s is released", args[0])
			return nil
		}),
	}
	a.requireNetwork(cmd, &network, "the network of the address")
	return cmd
}

// requireNetwork gives a command a --network that must be said.
func (a *app) requireNetwork(cmd *cobra.Command, value *string, what string) {
	cmd.Flags().StringVar(value, "network", "", what)
	must(cmd.MarkFlagRequired("network"))
	a.completeFlag(cmd, "network", a.networkIDs)
}

// must ends a run whose commands name a flag that is not there: a mistake in this package that every run would show.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
