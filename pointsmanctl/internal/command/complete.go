package command

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pointsmanctl/internal/output"
)

// completionTimeout is how long a person who pressed Tab is kept waiting for a control plane.
const completionTimeout = 2 * time.Second

// ids asks the API for what may stand at a place of the command line.
type ids func(ctx context.Context, c *client) ([]string, error)

// completer is what cobra asks.
type completer = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective)

// complete offers ids that the API knows. Nothing is offered when it does not answer.
func (a *app) complete(list ids) completer {
	return func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		a.timeout = completionTimeout
		c, err := a.api()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		all, err := list(ctx, c)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var out []cobra.Completion
		for _, id := range all {
			if strings.HasPrefix(id, typed) {
				out = append(out, id)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// first completes only the first argument.
func (a *app) first(list ids) completer {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.complete(list)(cmd, args, typed)
	}
}

// completeFlag offers ids for a flag's value. The flag exists: its name is written beside it.
func (a *app) completeFlag(cmd *cobra.Command, flag string, list ids) {
	register(cmd, flag, a.complete(list))
}

// fixed offers words for a flag's value, or nothing, but no file names.
func fixed(cmd *cobra.Command, flag string, words ...string) {
	register(cmd, flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

func register(cmd *cobra.Command, flag string, complete completer) {
	must(cmd.RegisterFlagCompletionFunc(flag, complete))
}

func (a *app) networkIDs(ctx context.Context, c *client) ([]string, error) {
	r, err := c.networks.ListNetworks(ctx, &apiv1.ListNetworksRequest{Project: a.project})
	return idsOf(r.GetNetworks()), err
}

func (a *app) poolIDs(ctx context.Context, c *client) ([]string, error) {
	r, err := c.networks.ListNetworks(ctx, &apiv1.ListNetworksRequest{Project: a.project, Kind: apiv1.NetworkKind_NETWORK_KIND_POOL})
	return idsOf(r.GetNetworks()), err
}

func (a *app) machineIDs(ctx context.Context, c *client) ([]string, error) {
	r, err := c.machines.ListMachines(ctx, &apiv1.ListMachinesRequest{})
	return idsOf(r.GetMachines()), err
}

func (a *app) freeMachineIDs(ctx context.Context, c *client) ([]string, error) {
	r, err := c.machines.ListMachines(ctx, &apiv1.ListMachinesRequest{State: apiv1.MachineState_MACHINE_STATE_FREE})
	return idsOf(r.GetMachines()), err
}

// discovered offers how discovered machines are called.
func (a *app) discovered(ctx context.Context, c *client) ([]string, error) {
	r, err := c.machines.ListMachines(ctx, &apiv1.ListMachinesRequest{State: apiv1.MachineState_MACHINE_STATE_DISCOVERED})
	var out []string
	for _, m := range r.GetMachines() {
		out = append(out, output.MachineName(m))
	}
	return out, err
}

func (a *app) switchIDs(ctx context.Context, c *client) ([]string, error) {
	r, err := c.switches.ListSwitches(ctx, &apiv1.ListSwitchesRequest{})
	return idsOf(r.GetSwitches()), err
}

func (a *app) allocationIDs(ctx context.Context, c *client) ([]string, error) {
	r, err := c.allocations.ListAllocations(ctx, &apiv1.ListAllocationsRequest{Project: a.project})
	return idsOf(r.GetAllocations()), err
}

func (a *app) rackIDs(ctx context.Context, c *client) ([]string, error) {
	r, err := c.switches.ListSwitches(ctx, &apiv1.ListSwitchesRequest{})
	var out []string
	seen := map[string]bool{"": true}
	for _, s := range r.GetSwitches() {
		if !seen[s.GetRack()] {
			seen[s.GetRack()] = true
			out = append(out, s.GetRack())
		}
	}
	return out, err
}

func (a *app) addresses(ctx context.Context, c *client) ([]string, error) {
	r, err := c.ips.ListIPs(ctx, &apiv1.ListIPsRequest{Project: a.project})
	var out []string
	for _, ip := range r.GetIps() {
		out = append(out, ip.GetAddress())
	}
	return out, err
}

func idsOf[M interface{ GetId() string }](in []M) []string {
	var out []string
	for _, m := range in {
		out = append(out, m.GetId())
	}
	return out
}
