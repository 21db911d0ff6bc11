package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pointsman/pointsman/test/lab"
)

// fault is a command that does one thing to the running fabric.
func fault(cmd *cobra.Command, do func(ctx context.Context, f *lab.Fabric, args []string) error) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := attached(cmd.Context())
		if err != nil {
			return err
		}
		return do(cmd.Context(), f, args)
	}
	return cmd
}

func faultCommands() []*cobra.Command {
	const links = "A link is named by one of its ends (leaf01:swp49) or by its two nodes (leaf01:spine01).\n"
	return append([]*cobra.Command{
		fault(&cobra.Command{
			Use: "cut LINK", Short: "Cut a cable; lab heal mends it", Args: cobra.ExactArgs(1), Example: "  lab cut leaf01:spine01",
			Long: "Cut a cable: both ends lose their carrier; lab heal mends it.\n" + links + "Between two switches the spine's port is pulled, a machine's is set down.",
		}, func(ctx context.Context, f *lab.Fabric, args []string) error { return f.Cut(ctx, args[0]) }),
		fault(&cobra.Command{
			Use: "heal LINK", Short: "Mend a cable that lab cut has cut", Args: cobra.ExactArgs(1), Long: "Mend a cable that lab cut has cut.\n" + links,
		}, func(ctx context.Context, f *lab.Fabric, args []string) error { return f.Heal(ctx, args[0]) }),
		fault(&cobra.Command{
			Use: "pull NODE PORT", Short: "Pull a port out of a node, as a line card is pulled; lab plug puts it back", Args: cobra.ExactArgs(2), Example: "  lab pull leaf01 swp4",
		}, func(ctx context.Context, f *lab.Fabric, args []string) error { return f.Pull(ctx, args[0], args[1]) }),
		fault(&cobra.Command{
			Use: "plug NODE PORT", Short: "Put a port back that lab pull has pulled, as if it were new", Args: cobra.ExactArgs(2),
		}, func(ctx context.Context, f *lab.Fabric, args []string) error { return f.Plug(ctx, args[0], args[1]) }),
	}, append(cablingFaults(), nodeFaults()...)...)
}

func cablingFaults() []*cobra.Command {
	var heal bool
	hub := fault(&cobra.Command{
		Use: "hub LEAF:PORT LEAF:PORT", Short: "Have two cables meet in a hub: the first port hears both far ends", Args: cobra.ExactArgs(2), Example: "  lab hub leaf01:swp1 leaf01:swp2",
		Long: "Put a hub where the cables of two ports of leaves meet: the first port hears both far ends, the second nobody.",
	}, func(ctx context.Context, f *lab.Fabric, args []string) error {
		if heal {
			return f.Unhub(ctx, args[0], args[1])
		}
		return f.Hub(ctx, args[0], args[1])
	})
	hub.Flags().BoolVar(&heal, "heal", false, "take the hub out")
	return []*cobra.Command{
		fault(&cobra.Command{
			Use: "recable LEAF:PORT LEAF:PORT", Short: "Exchange what two ports of leaves are cabled to; the same again undoes it", Args: cobra.ExactArgs(2),
			Long: "Exchange what two ports of leaves are cabled to: machines, spines, or nothing. The same again undoes it.\n" +
				"Other commands go on naming cables as the topology has them.",
			Example: "  lab recable leaf02:swp1 leaf02:swp2   # crossed pairs\n  lab recable leaf02:swp1 leaf01:swp2   # twice to one leaf",
		}, func(ctx context.Context, f *lab.Fabric, args []string) error {
			return f.Recable(ctx, args[0], args[1])
		}),
		hub,
	}
}

func nodeFaults() []*cobra.Command {
	var heal bool
	blackhole := fault(&cobra.Command{
		Use: "blackhole NODE", Short: "Have a node swallow all that it would send, with its links up", Args: cobra.ExactArgs(1),
		Long: "Have a node swallow all that its front-panel ports would send, with its links up and its programs alive. Its management port stays.",
	}, func(ctx context.Context, f *lab.Fabric, args []string) error { return f.Blackhole(ctx, args[0], !heal) })
	blackhole.Flags().BoolVar(&heal, "heal", false, "have it send again")
	return []*cobra.Command{
		blackhole,
		fault(&cobra.Command{
			Use: "freeze NODE SERVICE...", Short: "Stop services where they stand (SIGSTOP); lab thaw lets them go on", Args: cobra.MinimumNArgs(2), Example: "  lab freeze leaf01 bgpd zebra",
		}, func(ctx context.Context, f *lab.Fabric, args []string) error {
			return f.Freeze(ctx, args[0], args[1:]...)
		}),
		fault(&cobra.Command{
			Use: "thaw NODE SERVICE...", Short: "Let frozen services go on", Args: cobra.MinimumNArgs(2),
		}, func(ctx context.Context, f *lab.Fabric, args []string) error {
			return f.Thaw(ctx, args[0], args[1:]...)
		}),
		fault(&cobra.Command{
			Use: "reboot NODE", Short: "Pull a node's plug and boot it again; its disk and its cables stay", Args: cobra.ExactArgs(1),
		}, func(ctx context.Context, f *lab.Fabric, args []string) error { return f.Reboot(ctx, args[0]) }),
		fault(&cobra.Command{
			Use: "power NODE on|off", Short: "Pull a node's plug, or boot a node that is off", Args: cobra.ExactArgs(2), ValidArgs: []string{"on", "off"},
		}, func(ctx context.Context, f *lab.Fabric, args []string) error { return power(ctx, f, args[0], args[1]) }),
	}
}

func power(ctx context.Context, f *lab.Fabric, node, state string) error {
	switch state {
	case "on":
		return f.PowerOn(ctx, node)
	case "off":
		return f.PowerOff(ctx, node)
	default:
		return fmt.Errorf("unknown state %q: on or off", state)
	}
}
