package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/local"
	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/reconcile"
)

func planCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "plan", Short: "Print what a pass would do now, and do nothing", Args: cobra.NoArgs,
		Long: "Print the steps from this switch as it is to its last intent on disk. Nothing is changed, and no etcd is asked.",
	}
	load := configFlags(cmd)
	output := cmd.Flags().StringP("output", "o", "text", "text or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		if *output != "text" && *output != "json" {
			return fmt.Errorf("output %q is neither text nor json", *output)
		}
		log := newLog(cfg)
		sw, err := openSystem(cmd.Context(), cfg, log)
		if err != nil {
			return err
		}
		defer sw.close()
		last, err := intent.Read(cfg.StateDir)
		if err != nil {
			return err
		}
		if !last.Known() {
			return errors.New("no intent is on disk yet")
		}
		ops, problems, err := reconcile.DryRun(cmd.Context(), sw.sys, last.Intent, cfg.StateDir)
		if err != nil {
			return err
		}
		return printPlan(cmd.OutOrStdout(), *output, ops, problems)
	}
	return cmd
}

func printPlan(w io.Writer, output string, ops []plan.Op, problems []plan.Problem) error {
	if output == "text" {
		return local.StepsOf(ops, problems).Table(w)
	}
	return local.Write(w, local.JSON, local.StepsOf(ops, problems), nil)
}
