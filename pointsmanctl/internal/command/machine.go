package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pointsmanctl/internal/output"
)

func (a *app) machineCommand() *cobra.Command {
	return group("machine", "Machines: discovered, adopted, allocated",
		a.machineListCommand(), a.machineGetCommand(), a.machineAdoptCommand(), a.machineUpdateCommand(), a.machineConfigCommand(),
		a.machineOverrideCommand(), a.machineDeleteCommand())
}

var machineStates = apiv1.MachineState(0).Descriptor()

func (a *app) machineListCommand() *cobra.Command {
	req := &apiv1.ListMachinesRequest{}
	var state string
	var watch bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List machines, and what keeps each from being free",
		Example: "  pointsmanctl machine list\n  pointsmanctl machine list --state free --rack rack1 -o wide\n  pointsmanctl machine list -w -o json",
		Args:    cobra.NoArgs,
		RunE: a.ask(func(ctx context.Context, c *client, _ []string) error {
			n, err := word(machineStates, "state", state)
			if err != nil {
				return err
			}
			req.State = apiv1.MachineState(n)
			if watch {
				return a.watchMachines(ctx, c, &apiv1.WatchMachinesRequest{State: req.GetState(), Rack: req.GetRack(), Filter: req.GetFilter()})
			}
			r, err := c.machines.ListMachines(ctx, req)
			if err != nil {
				return err
			}
			return a.printer().Machines(r)
		}),
	}
	watchFlag(cmd, &watch)
	filterFlag(cmd, &req.Filter, `state = free AND connections.switch = leaf01`)
	cmd.Flags().StringVar(&state, "state", "", "only machines in this state: "+strings.Join(output.Words(machineStates), ", "))
	cmd.Flags().StringVar(&req.Rack, "rack", "", "only machines of this rack")
	fixed(cmd, "state", output.Words(machineStates)...)
	a.completeFlag(cmd, "rack", a.rackIDs)
	return cmd
}

func (a *app) machineGetCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:               "get MACHINE",
		Short:             "Show one machine",
		Example:           "  pointsmanctl machine get machine01",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.machineIDs),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			m, err := c.machines.GetMachine(ctx, &apiv1.GetMachineRequest{Id: args[0]})
			if err != nil {
				return err
			}
			if watch {
				return a.watchMachines(ctx, c, &apiv1.WatchMachinesRequest{Filter: only("id", args[0])})
			}
			return a.printer().Machine(m)
		}),
	}
	watchFlag(cmd, &watch)
	return cmd
}

func (a *app) machineAdoptCommand() *cobra.Command {
	req := &apiv1.AdoptMachineRequest{}
	cmd := &cobra.Command{
		Use:   "adopt [DISCOVERED]",
		Short: "Take a discovered machine into the inventory, or one that is still to come",
		Long: `Take a machine into the inventory, so that it can be allocated.
A discovered machine is named by any of its identities, as "machine list --state discovered" shows them, and --id gives it its
name. A machine that is still to come is entered by any of its identities, and matched when its leaves hear it.`,
		Example: `  pointsmanctl machine list --state discovered
  pointsmanctl machine adopt 02:00:5e:10:00:01 --id machine01

  # entered before it is cabled
  pointsmanctl machine adopt --id machine07 --system-uuid 4c4c4544-0042-3510-8054-b7c04f564432`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.first(a.discovered),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			if len(args) == 0 && req.SystemUuid == "" && req.ChassisMac == "" && len(req.PortMacs) == 0 {
				return usagef("name a discovered machine, or give --system-uuid, --chassis-mac or --port-mac of one that is still to come")
			}
			if len(args) > 0 {
				if err := takeOver(ctx, c, args[0], req); err != nil {
					return err
				}
			}
			req.RequestId = requestID()
			m, err := c.machines.AdoptMachine(ctx, req)
			if err != nil {
				return err
			}
			return a.printer().Machine(m)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&req.Id, "id", "", "name of the machine (default: a generated one)")
	f.StringVar(&req.SystemUuid, "system-uuid", "", "SMBIOS system UUID")
	f.StringVar(&req.ChassisMac, "chassis-mac", "", "chassis MAC address, as its LLDP says it")
	f.StringArrayVar(&req.PortMacs, "port-mac", nil, "MAC address of a port; repeat for more")
	f.StringVar(&req.Description, "description", "", "a description for people")
	f.StringToStringVar(&req.Labels, "label", nil, "KEY=VALUE of a label; repeat for more")
	for _, flag := range []string{"id", "system-uuid", "chassis-mac", "port-mac"} {
		fixed(cmd, flag)
	}
	return cmd
}

// takeOver fills what was not said from what is known of a discovered machine, which is named by any of its identities.
func takeOver(ctx context.Context, c *client, discovered string, req *apiv1.AdoptMachineRequest) error {
	r, err := c.machines.ListMachines(ctx, &apiv1.ListMachinesRequest{State: apiv1.MachineState_MACHINE_STATE_DISCOVERED})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(r.GetMachines(), func(m *apiv1.Machine) bool { return answersTo(m, discovered) })
	if i < 0 {
		return fmt.Errorf("no discovered machine is known as %s: see pointsmanctl machine list --state discovered", discovered)
	}
	m := r.GetMachines()[i]
	if req.Id == "" {
		req.Id = m.GetId()
	}
	if req.SystemUuid == "" {
		req.SystemUuid = m.GetSystemUuid()
	}
	if req.ChassisMac == "" {
		req.ChassisMac = m.GetChassisMac()
	}
	if len(req.PortMacs) == 0 {
		req.PortMacs = m.GetPortMacs()
	}
	return nil
}

// answersTo tells whether an identity is a machine's.
func answersTo(m *apiv1.Machine, identity string) bool {
	same := func(s string) bool { return s != "" && strings.EqualFold(s, identity) }
	return same(m.GetId()) || same(m.GetSystemUuid()) || same(m.GetChassisMac()) || slices.ContainsFunc(m.GetPortMacs(), same)
}

func (a *app) machineConfigCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "config MACHINE",
		Short: "Print the file that the host speaker of an allocated machine reads",
		Long: `Print what a machine must know of its network: ASN, addresses, uplinks. It is JSON, whatever -o says, as
"pointsman-agent host" reads it. --output-file replaces a file in one step, so that no reader sees half of it.`,
		Example: `  pointsmanctl machine config machine01
  pointsmanctl machine config machine01 --output-file /srv/machines/machine01.json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.machineIDs),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			conf, err := c.machines.GetMachineConfig(ctx, &apiv1.GetMachineConfigRequest{Id: args[0]})
			if err != nil {
				return err
			}
			b, err := output.Indented(conf)
			if err != nil {
				return err
			}
			if file == "" {
				_, err = a.Out.Write(b)
				return err
			}
			if err := renameio.WriteFile(file, b, 0o644); err != nil {
				return fmt.Errorf("write the machine file: %w", err)
			}
			return nil
		}),
	}
	cmd.Flags().StringVar(&file, "output-file", "", "write to this file instead")
	return cmd
}

func (a *app) machineOverrideCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "override-release MACHINE --reason WHY",
		Short: "Free a machine whose leaf will not come back to prove its release",
		Long: `Free a released machine although a leaf has not proven that its port is back in the provisioning network.
Only say this when that leaf is known not to forward any more: otherwise the next tenant of the machine may still be reachable
from the network of the last one.`,
		Example:           `  pointsmanctl machine override-release machine01 --reason "leaf02 is on my desk"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.machineIDs),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			m, err := c.machines.OverrideMachineRelease(ctx, &apiv1.OverrideMachineReleaseRequest{RequestId: requestID(), Id: args[0], Reason: reason})
			if err != nil {
				return err
			}
			return a.printer().Machine(m)
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why it is safe; kept in the history")
	must(cmd.MarkFlagRequired("reason"))
	return cmd
}

func (a *app) machineDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "delete MACHINE",
		Short:             "Take a machine that is not allocated out of the inventory",
		Example:           "  pointsmanctl machine delete machine01",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.machineIDs),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			if _, err := c.machines.DeleteMachine(ctx, &apiv1.DeleteMachineRequest{RequestId: requestID(), Id: args[0]}); err != nil {
				return err
			}
			a.say("machine %s is deleted", args[0])
			return nil
		}),
	}
}
