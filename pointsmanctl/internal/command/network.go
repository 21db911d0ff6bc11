package command

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pointsmanctl/internal/output"
)

func (a *app) networkCommand() *cobra.Command {
	return group("network", "Networks, and the pools that they are carved from",
		a.networkListCommand(), a.networkGetCommand(), a.networkCreateCommand(), a.networkUpdateCommand(), a.networkDeleteCommand())
}

var networkKinds = apiv1.NetworkKind(0).Descriptor()

func (a *app) networkListCommand() *cobra.Command {
	var kind, filter string
	var watch bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List networks and pools",
		Example: "  pointsmanctl network list\n  pointsmanctl network list --kind pool -o wide\n  pointsmanctl network list -w",
		Args:    cobra.NoArgs,
		RunE: a.ask(func(ctx context.Context, c *client, _ []string) error {
			req := &apiv1.ListNetworksRequest{Project: a.project, Filter: filter}
			n, err := word(networkKinds, "kind", kind)
			if err != nil {
				return err
			}
			req.Kind = apiv1.NetworkKind(n)
			if watch {
				return a.watchNetworks(ctx, c, &apiv1.WatchNetworksRequest{Project: a.project, Kind: req.GetKind(), Filter: filter})
			}
			r, err := c.networks.ListNetworks(ctx, req)
			if err != nil {
				return err
			}
			return a.printer().Networks(r)
		}),
	}
	watchFlag(cmd, &watch)
	filterFlag(cmd, &filter, `vni >= 100100 AND description : storage`)
	cmd.Flags().StringVar(&kind, "kind", "", "only networks of this kind: "+strings.Join(output.Words(networkKinds), ", "))
	fixed(cmd, "kind", output.Words(networkKinds)...)
	return cmd
}

func (a *app) networkGetCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:               "get NETWORK",
		Short:             "Show one network",
		Example:           "  pointsmanctl network get blue\n  pointsmanctl network get blue -o yaml\n  pointsmanctl network get blue -w",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.networkIDs),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			n, err := c.networks.GetNetwork(ctx, &apiv1.GetNetworkRequest{Project: a.project, Id: args[0]})
			if err != nil {
				return err
			}
			if watch {
				return a.watchNetworks(ctx, c, &apiv1.WatchNetworksRequest{Project: n.GetProject(), Filter: only("id", args[0])})
			}
			return a.printer().Network(n)
		}),
	}
	watchFlag(cmd, &watch)
	return cmd
}

func (a *app) networkCreateCommand() *cobra.Command {
	req := &apiv1.CreateNetworkRequest{}
	var kind string
	var announceable []string
	cmd := &cobra.Command{
		Use:   "create [NETWORK]",
		Short: "Create a network or a pool",
		Long: `Create a network: a VRF of its own, with the prefixes given, or with prefixes carved from a pool.
Without a name, one is generated. Without --kind, it is private.`,
		Example: `  # a pool, and how long the prefixes are that networks get of it
  pointsmanctl network create tenants --kind pool --prefix 10.64.0.0/12 --prefix fd64::/48 \
      --default-ipv4-length 22 --default-ipv6-length 64

  # a network of the pool, and one that wants a larger IPv4 prefix
  pointsmanctl network create blue --pool tenants
  pointsmanctl network create big --pool tenants --ipv4-length 20

  # prefixes of its own; machines may announce routes of /24 to /26 for their pods
  pointsmanctl network create green --prefix 10.1.0.0/22 --announceable 10.244.0.0/16:26

  # the network that borders are registered for; besides default routes, they accept these from outside
  pointsmanctl network create internet --kind external --prefix 198.51.100.0/24 --destination 192.0.2.0/24`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			n, err := word(networkKinds, "kind", kind)
			if err != nil {
				return err
			}
			req.Kind = apiv1.NetworkKind(n)
			if req.Announceable, err = parseAnnounceable(announceable); err != nil {
				return err
			}
			if len(args) > 0 {
				req.Id = args[0]
			}
			req.RequestId, req.Project = requestID(), a.project
			created, err := c.networks.CreateNetwork(ctx, req)
			if err != nil {
				return err
			}
			return a.printer().Network(created)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&kind, "kind", "private", "kind: "+strings.Join(output.Words(networkKinds), ", "))
	f.StringArrayVar(&req.Prefixes, "prefix", nil, "a prefix of the network, IPv4 or IPv6; repeat for more")
	f.StringVar(&req.Pool, "pool", "", "the pool to carve prefixes from")
	f.Uint32Var(&req.Ipv4Length, "ipv4-length", 0, "length of the IPv4 prefix to carve (default: the pool's)")
	f.Uint32Var(&req.Ipv6Length, "ipv6-length", 0, "length of the IPv6 prefix to carve (default: the pool's)")
	f.StringArrayVar(&announceable, "announceable", nil, "PREFIX[:MAXLEN], a range that each machine may announce routes of; repeat for more")
	f.StringArrayVar(&req.Destinations, "destination", nil, "of an external network: a prefix that borders accept from outside besides the default routes, with all inside; repeat for more")
	f.Uint32Var(&req.DefaultIpv4Length, "default-ipv4-length", 0, "of a pool: length of the IPv4 prefixes that are carved by default")
	f.Uint32Var(&req.DefaultIpv6Length, "default-ipv6-length", 0, "of a pool: length of the IPv6 prefixes that are carved by default")
	f.StringVar(&req.Description, "description", "", "a description for people")
	f.StringToStringVar(&req.Labels, "label", nil, "KEY=VALUE of a label; repeat for more")
	fixed(cmd, "kind", output.Words(networkKinds)...)
	a.completeFlag(cmd, "pool", a.poolIDs)
	return cmd
}

func (a *app) networkDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "delete NETWORK",
		Short:             "Delete a network that holds no address, or a pool that nothing is carved from",
		Example:           "  pointsmanctl network delete blue",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.networkIDs),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			if _, err := c.networks.DeleteNetwork(ctx, &apiv1.DeleteNetworkRequest{RequestId: requestID(), Project: a.project, Id: args[0]}); err != nil {
				return err
			}
			a.say("network %s is deleted", args[0])
			return nil
		}),
	}
}

// parseAnnounceable reads PREFIX[:MAXLEN]. IPv6 has colons of its own, but none after its slash.
func parseAnnounceable(in []string) ([]*apiv1.Announceable, error) {
	var out []*apiv1.Announceable
	for _, s := range in {
		slash := strings.LastIndexByte(s, '/')
		if slash < 0 {
			return nil, usagef("--announceable %q: give PREFIX or PREFIX:MAXLEN, such as 10.244.0.0/16:26", s)
		}
		length, longest, given := strings.Cut(s[slash:], ":")
		announceable := &apiv1.Announceable{Prefix: s[:slash] + length}
		if given {
			n, err := strconv.ParseUint(longest, 10, 32)
			if err != nil {
				return nil, usagef("--announceable %q: %q is no prefix length", s, longest)
			}
			announceable.MaxLength = uint32(n)
		}
		out = append(out, announceable)
	}
	return out, nil
}
