// The agent of Pointsman. On switches, `pointsman-agent run` discovers machines, follows the intent of the control plane and
// reconfigures ports, VRFs, VNIs and FRR; on machines, `pointsman-agent host` is the BGP speaker.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pointsman/pointsman/agent/internal/host"
	"github.com/pointsman/pointsman/pkg/version"
)

// heapGrowth is how far the heap may grow before it is collected, in percent. It is 3 MB on a switch, of which the default would
// collect every 3 MB more, thrice for each port that moves.
const heapGrowth = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := root().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "pointsman-agent:", err)
		stop()
		os.Exit(1)
	}
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use: "pointsman-agent", Short: "Runs a switch, or announces a machine's addresses", Version: version.Version,
		SilenceUsage: true, SilenceErrors: true,
	}
	cmd.AddCommand(runCommand(), planCommand(), adoptCommand(), checkCommand(), host.Command(), versionCommand())
	cmd.AddCommand(localCommands()...)
	return cmd
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), version.Version) },
	}
}
