package command

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pointsmanctl/internal/output"
)

func (a *app) switchCommand() *cobra.Command {
	return group("switch", "Switches and their ports",
		a.switchListCommand(), a.switchGetCommand(), a.switchRegisterCommand(), a.switchUpdateCommand(), a.switchDeleteCommand())
}

func (a *app) switchListCommand() *cobra.Command {
	req := &apiv1.ListSwitchesRequest{}
	var role string
	var watch bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List switches, and what their agents say",
		Example: "  pointsmanctl switch list\n  pointsmanctl switch list --role leaf -o wide",
		Args:    cobra.NoArgs,
		RunE: a.ask(func(ctx context.Context, c *client, _ []string) error {
			n, err := word(switchRoles, "role", role)
			if err != nil {
				return err
			}
			req.Role = apiv1.SwitchRole(n)
			if watch {
				return a.watchSwitches(ctx, c, &apiv1.WatchSwitchesRequest{Role: req.GetRole(), Rack: req.GetRack(), Filter: req.GetFilter()})
			}
			r, err := c.switches.ListSwitches(ctx, req)
			if err != nil {
				return err
			}
			return a.printer().Switches(r)
		}),
	}
	watchFlag(cmd, &watch)
	filterFlag(cmd, &req.Filter, `alive = false`)
	cmd.Flags().StringVar(&role, "role", "", "only switches of this role: "+strings.Join(output.Words(switchRoles), ", "))
	cmd.Flags().StringVar(&req.Rack, "rack", "", "only switches of this rack")
	fixed(cmd, "role", output.Words(switchRoles)...)
	a.completeFlag(cmd, "rack", a.rackIDs)
	return cmd
}

func (a *app) switchGetCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:               "get SWITCH",
		Short:             "Show one switch with its ports: wanted, applied, session, neighbour",
		Example:           "  pointsmanctl switch get leaf01\n  pointsmanctl switch get leaf01 -o wide",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.switchIDs),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			s, err := c.switches.GetSwitch(ctx, &apiv1.GetSwitchRequest{Id: args[0]})
			if err != nil {
				return err
			}
			if watch {
				return a.watchSwitches(ctx, c, &apiv1.WatchSwitchesRequest{Filter: only("id", args[0])})
			}
			return a.printer().Switch(s)
		}),
	}
	watchFlag(cmd, &watch)
	return cmd
}

func (a *app) switchUpdateCommand() *cobra.Command {
	req := &apiv1.UpdateSwitchRequest{}
	var portFlags map[string]string
	cmd := &cobra.Command{
		Use:   "update SWITCH",
		Short: "Change a switch's description, MTU or ports",
		Long: `Change what is given, and only that. --port names all ports of the switch, not only new ones;
a port that is allocated must stay.`,
		Example: `  pointsmanctl switch update leaf01 --mtu 9100
  pointsmanctl switch update leaf01 --port swp1=machine --port swp2=machine --port swp51=uplink`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.switchIDs),
	}
	f := cmd.Flags()
	f.StringVar(&req.Description, "description", "", "a description for people")
	f.Uint32Var(&req.Mtu, "mtu", 0, "MTU of uplinks and machine ports in bytes")
	f.StringToStringVar(&portFlags, "port", nil, "NAME=ROLE of a port, role "+strings.Join(output.Words(portRoles), " or ")+"; repeat for all ports")
	versionFlag(cmd, &req.ResourceVersion)
	cmd.RunE = a.ask(func(ctx context.Context, c *client, args []string) error {
		req.RequestId, req.Id = requestID(), args[0]
		var err error
		if req.UpdateMask, err = maskOf(cmd, "description", "description", "mtu", "mtu", "port", "ports"); err != nil {
			return err
		}
		if req.Ports, err = ports(portFlags); err != nil {
			return usage{err}
		}
		s, err := c.switches.UpdateSwitch(ctx, req)
		if err != nil {
			return err
		}
		return a.printer().Switch(s)
	})
	return cmd
}

func (a *app) switchDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "delete SWITCH",
		Short:             "Unregister a switch that no allocation uses",
		Example:           "  pointsmanctl switch delete leaf01",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.switchIDs),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			if _, err := c.switches.DeleteSwitch(ctx, &apiv1.DeleteSwitchRequest{RequestId: requestID(), Id: args[0]}); err != nil {
				return err
			}
			a.say("switch %s is deleted", args[0])
			return nil
		}),
	}
}
