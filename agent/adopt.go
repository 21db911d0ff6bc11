package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/pointsman/pointsman/agent/internal/intent"
)

func adoptCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "adopt", Short: "Follow the store as it is now, although it is another or an older one", Args: cobra.NoArgs,
		Long: "An agent that meets another store, or an older state of its own, changes nothing and reports that it is holding. This tells it that\nthe store is right. Check with `pointsmanctl switch get` why it is holding first.",
	}
	load := configFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), 15*time.Second)
		defer cancel()
		answer, err := intent.RequestAdoption(ctx, cfg.StateDir)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), answer)
		return nil
	}
	return cmd
}
