package command

import (
	"context"
	"maps"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// versionFlag gives a command the condition of the API's updates.
func versionFlag(cmd *cobra.Command, version *string) {
	cmd.Flags().StringVar(version, "resource-version", "", "change it only if it still has this resourceVersion, as -o json shows it")
	fixed(cmd, "resource-version")
}

// maskOf names the fields whose flags were given: flag, field, flag, field.
func maskOf(cmd *cobra.Command, flagsAndFields ...string) (*fieldmaskpb.FieldMask, error) {
	mask, seen := &fieldmaskpb.FieldMask{}, map[string]bool{}
	var flags []string
	for i := 0; i < len(flagsAndFields); i += 2 {
		flag, field := flagsAndFields[i], flagsAndFields[i+1]
		flags = append(flags, "--"+flag)
		if cmd.Flags().Changed(flag) && !seen[field] {
			seen[field] = true
			mask.Paths = append(mask.Paths, field)
		}
	}
	if len(mask.GetPaths()) == 0 {
		return nil, usagef("nothing to change: give %s", strings.Join(flags[:len(flags)-1], ", ")+" or "+flags[len(flags)-1])
	}
	return mask, nil
}

// labelFlags are changes to labels: those that are not named stay.
type labelFlags struct {
	set    map[string]string
	remove []string
}

func (l *labelFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringToStringVar(&l.set, "label", nil, "KEY=VALUE of a label to set; repeat for more")
	cmd.Flags().StringArrayVar(&l.remove, "remove-label", nil, "KEY of a label to remove; repeat for more")
	fixed(cmd, "label")
	fixed(cmd, "remove-label")
}

// over lays the changes over the labels that there are.
func (l *labelFlags) over(old map[string]string) (map[string]string, error) {
	labels := map[string]string{}
	maps.Copy(labels, old)
	for _, key := range l.remove {
		if _, ok := l.set[key]; ok {
			return nil, usagef("--label and --remove-label: both name %q; give one of the two", key)
		}
		delete(labels, key)
	}
	maps.Copy(labels, l.set)
	return labels, nil
}

// onlyIf is the version that a change of labels is made for. The API replaces labels as a whole, so that what was read has to be
// what is changed: a change that somebody else makes in between is not lost. given is what the caller asked for.
func onlyIf(given, read string) string {
	if given != "" {
		return given
	}
	return read
}

// labelled is a resource as far as a change of its labels reads it.
type labelled interface {
	GetLabels() map[string]string
	GetResourceVersion() string
}

// change calls write with the labels and the version to write, which are read first if labels are to change, and again if somebody
// else was faster. given is the version that the caller asked for.
func (l *labelFlags) change(given string, read func() (labelled, error), write func(labels map[string]string, version string) error) error {
	return again(given, func() error {
		if len(l.set)+len(l.remove) == 0 {
			return write(nil, given)
		}
		old, err := read()
		if err != nil {
			return err
		}
		labels, err := l.over(old.GetLabels())
		if err != nil {
			return err
		}
		return write(labels, onlyIf(given, old.GetResourceVersion()))
	})
}

// again repeats a change that is made from what is read, if somebody else was faster. A version that was asked for is not read anew.
func again(given string, change func() error) error {
	for tries := 1; ; tries++ {
		err := change()
		if status.Code(err) != codes.Aborted || given != "" || tries == attempts {
			return err
		}
	}
}

func (a *app) networkUpdateCommand() *cobra.Command {
	req := &apiv1.UpdateNetworkRequest{}
	var labels labelFlags
	var announceable []string
	var none, nowhere bool
	var version string
	cmd := &cobra.Command{
		Use:   "update NETWORK",
		Short: "Change a network's description, labels, what its machines may announce, or what comes from outside",
		Long: `Change what is given, and only that. --announceable names all ranges that machines may announce, not only new ones; the ports of the
network's machines follow at once. --destination names all destinations of an external network; borders follow at once.`,
		Example: `  pointsmanctl network update blue --description "the web's" --label owner=web --remove-label trial
  pointsmanctl network update blue --announceable 10.244.0.0/16:26
  pointsmanctl network update blue --no-announceable --resource-version f2a8c1d0-3k`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.networkIDs),
	}
	f := cmd.Flags()
	f.StringVar(&req.Description, "description", "", "a description for people")
	f.StringArrayVar(&announceable, "announceable", nil, "PREFIX[:MAXLEN], a range that each machine may announce routes of; repeat for all")
	f.BoolVar(&none, "no-announceable", false, "machines may announce their own addresses only")
	cmd.MarkFlagsMutuallyExclusive("announceable", "no-announceable")
	f.StringArrayVar(&req.Destinations, "destination", nil, "of an external network: a prefix that borders accept from outside besides the default routes, with all inside; repeat for all")
	f.BoolVar(&nowhere, "no-destination", false, "borders accept default routes only")
	cmd.MarkFlagsMutuallyExclusive("destination", "no-destination")
	labels.flags(cmd)
	versionFlag(cmd, &version)
	cmd.RunE = a.ask(func(ctx context.Context, c *client, args []string) error {
		var err error
		if req.UpdateMask, err = maskOf(cmd, "description", "description", "label", "labels", "remove-label", "labels", "announceable", "announceable", "no-announceable", "announceable",
			"destination", "destinations", "no-destination", "destinations"); err != nil {
			return err
		}
		if req.Announceable, err = parseAnnounceable(announceable); err != nil {
			return err
		}
		req.Project, req.Id = a.project, args[0]
		read := func() (labelled, error) {
			return c.networks.GetNetwork(ctx, &apiv1.GetNetworkRequest{Project: a.project, Id: args[0]})
		}
		return labels.change(version, read, func(all map[string]string, version string) error {
			req.Labels, req.ResourceVersion, req.RequestId = all, version, requestID()
			n, err := c.networks.UpdateNetwork(ctx, req)
			if err != nil {
				return err
			}
			return a.printer().Network(n)
		})
	})
	return cmd
}

func (a *app) machineUpdateCommand() *cobra.Command {
	req := &apiv1.UpdateMachineRequest{}
	var labels labelFlags
	var version string
	cmd := &cobra.Command{
		Use:   "update MACHINE",
		Short: "Change a machine's description or labels",
		Long:  "Change what is given, and only that. A machine's identities are how it is recognised: they stay for life.",
		Example: `  pointsmanctl machine update machine01 --description "to be replaced" --label owner=storage
  pointsmanctl machine update machine01 --remove-label owner`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.machineIDs),
	}
	cmd.Flags().StringVar(&req.Description, "description", "", "a description for people")
	labels.flags(cmd)
	versionFlag(cmd, &version)
	cmd.RunE = a.ask(func(ctx context.Context, c *client, args []string) error {
		var err error
		if req.UpdateMask, err = maskOf(cmd, "description", "description", "label", "labels", "remove-label", "labels"); err != nil {
			return err
		}
		req.Id = args[0]
		read := func() (labelled, error) {
			return c.machines.GetMachine(ctx, &apiv1.GetMachineRequest{Id: args[0]})
		}
		return labels.change(version, read, func(all map[string]string, version string) error {
			req.Labels, req.ResourceVersion, req.RequestId = all, version, requestID()
			m, err := c.machines.UpdateMachine(ctx, req)
			if err != nil {
				return err
			}
			return a.printer().Machine(m)
		})
	})
	return cmd
}

func (a *app) ipUpdateCommand() *cobra.Command {
	req := &apiv1.UpdateIPRequest{}
	cmd := &cobra.Command{
		Use:               "update ADDRESS --network NETWORK",
		Short:             "Change the description of an address",
		Example:           `  pointsmanctl ip update 10.1.0.5 --network blue --description "the mail server"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.addresses),
	}
	cmd.Flags().StringVar(&req.Description, "description", "", "a description for people")
	must(cmd.MarkFlagRequired("description"))
	a.requireNetwork(cmd, &req.Network, "the network of the address")
	versionFlag(cmd, &req.ResourceVersion)
	cmd.RunE = a.ask(func(ctx context.Context, c *client, args []string) error {
		req.RequestId, req.Project, req.Address = requestID(), a.project, args[0]
		req.UpdateMask = &fieldmaskpb.FieldMask{Paths: []string{"description"}}
		ip, err := c.ips.UpdateIP(ctx, req)
		if err != nil {
			return err
		}
		return a.printer().IP(ip)
	})
	return cmd
}

func (a *app) allocationUpdateCommand() *cobra.Command {
	req := &apiv1.UpdateAllocationRequest{}
	cmd := &cobra.Command{
		Use:               "update ALLOCATION",
		Short:             "Change the description of an allocation; \"pointsmanctl move\" changes its network",
		Example:           `  pointsmanctl allocation update web1 --description "the shop's front"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(a.allocationIDs),
	}
	cmd.Flags().StringVar(&req.Description, "description", "", "a description for people")
	must(cmd.MarkFlagRequired("description"))
	versionFlag(cmd, &req.ResourceVersion)
	cmd.RunE = a.ask(func(ctx context.Context, c *client, args []string) error {
		req.RequestId, req.Project, req.Id = requestID(), a.project, args[0]
		req.UpdateMask = &fieldmaskpb.FieldMask{Paths: []string{"description"}}
		allocation, err := c.allocations.UpdateAllocation(ctx, req)
		if err != nil {
			return err
		}
		return a.printer().Allocation(allocation)
	})
	return cmd
}
