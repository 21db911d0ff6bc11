// Command pointsman-controlplane serves Pointsman's API over etcd, which it embeds unless it is pointed at one outside.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pointsman/pointsman/pkg/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := rootCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pointsman-controlplane:", err)
		os.Exit(1)
	}
}

// rootCommand serves when no other command is named.
func rootCommand() *cobra.Command {
	serve := serveCommand()
	root := &cobra.Command{
		Use:           "pointsman-controlplane",
		Short:         "Serve Pointsman's API: allocation, addresses, intents, receipts",
		Long:          serve.Long,
		Example:       serve.Example,
		Args:          cobra.NoArgs,
		RunE:          serve.RunE,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.Flags().AddFlagSet(serve.Flags())
	root.AddCommand(serve, etcdUsersCommand(), &cobra.Command{
		Use:   "version",
		Short: "Print the version of pointsman-controlplane",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "pointsman-controlplane", version.Version)
			return err
		},
	})
	return root
}
