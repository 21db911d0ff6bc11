package swstate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// Program is the name under which a node finds Main.
const Program = "swstate"

// Main is the program swstate: SONiC's swss, syncd and database in a node of the lab. It does not return.
func Main() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use: Program, Short: "Stand in for SONiC's swss, syncd and database in a node of the lab", SilenceUsage: true, SilenceErrors: true,
	}
	root.AddCommand(runCommand(), databaseCommand(), loadCommand(), reloadCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "swstate:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runCommand() *cobra.Command {
	o := Options{Log: os.Stderr}
	cmd := &cobra.Command{
		Use: "run", Short: "Carry CONFIG_DB into the kernel and the other databases, until a daemon dies where the real one would", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Seed == 0 {
				o.Seed = rand.Uint64()
			}
			fmt.Fprintf(o.Log, "seed %d, delays up to %v\n", o.Seed, o.MaxDelay)
			if err := os.WriteFile(PidFile, fmt.Appendln(nil, os.Getpid()), 0o644); err != nil {
				return err
			}
			return Run(cmd.Context(), o)
		},
	}
	cmd.Flags().DurationVar(&o.MaxDelay, "max-delay", 200*time.Millisecond, "longest delay of a daemon; most are far shorter")
	cmd.Flags().DurationVar(&o.Retry, "retry", time.Second, "how long an idle daemon waits until it tries again what it could not do")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 0, "seed of the delays and object numbers; 0 draws one")
	return cmd
}

func databaseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "database", Short: "Write the database configuration and become redis-server", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return RunDatabase() },
	}
}

func loadCommand() *cobra.Command {
	return &cobra.Command{
		Use: "load", Short: "Fill CONFIG_DB from " + ConfigFile + ", as at boot", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return Load(cmd.Context(), DatabaseConfig, ConfigFile)
		},
	}
}

func reloadCommand() *cobra.Command {
	var loseFRR bool
	cmd := &cobra.Command{
		Use: "reload", Short: "SONiC's config reload: the daemons and FRR start anew from " + ConfigFile, Args: cobra.NoArgs,
		Example: "  lab exec leaf01 -- swstate reload",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return Reload(cmd.Context(), DatabaseConfig, ConfigFile, loseFRR)
		},
	}
	cmd.Flags().BoolVar(&loseFRR, "lose-frr", false, "FRR's configuration file is gone afterwards, too")
	return cmd
}
