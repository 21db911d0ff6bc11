package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pointsman/pointsman/test/lab/measure"
)

// measureCommand runs on machines, where it lies beside the agent; the scripts start it at both ends.
func measureCommand() *cobra.Command {
	return &cobra.Command{
		Use: "measure LOCAL=REMOTE...", Short: "In a machine: exchange 100 packets a second with a machine that does the same, until the input ends",
		Long: `Exchange 100 packets a second, both ways, with a machine that runs the same command with its own address first, until the input ends;
then print what was sent and received and the longest gap, as JSON, a line for each pair of addresses.`,
		Example: "  lab exec -i machine01 -- lab measure 10.1.0.2=10.1.0.3 fd01::2=fd01::3",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			paths, err := parsePaths(args)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(cmd.Context())
			go func() {
				_, _ = io.Copy(io.Discard, cmd.InOrStdin())
				cancel()
			}()
			reports, err := measure.Run(ctx, paths)
			if err != nil {
				return err
			}
			encoder := json.NewEncoder(cmd.OutOrStdout())
			for _, r := range reports {
				if err := encoder.Encode(r); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func parsePaths(args []string) ([]measure.Path, error) {
	var paths []measure.Path
	for _, arg := range args {
		local, remote, _ := strings.Cut(arg, "=")
		from, err := netip.ParseAddr(local)
		if err != nil {
			return nil, fmt.Errorf("path %q: write LOCAL=REMOTE: %w", arg, err)
		}
		to, err := netip.ParseAddr(remote)
		if err != nil {
			return nil, fmt.Errorf("path %q: write LOCAL=REMOTE: %w", arg, err)
		}
		paths = append(paths, measure.Path{Local: from, Remote: to})
	}
	return paths, nil
}
