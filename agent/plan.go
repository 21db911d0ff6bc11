package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pointsman/pointsman/agent/internal/intent"
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
		sys, routing, err := openSystem(cfg, log)
		if err != nil {
			return err
		}
		defer sys.Close()
		defer routing.Close()
		last, err := intent.Read(cfg.StateDir)
		if err != nil {
			return err
		}
		if !last.Known() {
			return errors.New("no intent is on disk yet")
		}
		ops, problems, err := reconcile.DryRun(cmd.Context(), sys, last.Intent, cfg.StateDir)
		if err != nil {
			return err
		}
		return printPlan(cmd.OutOrStdout(), *output, ops, problems)
	}
	return cmd
}

func printPlan(w io.Writer, output string, ops []plan.Op, problems []plan.Problem) error {
	if output == "text" {
		for _, op := range ops {
			fmt.Fprintln(w, op)
		}
		for _, p := range problems {
			fmt.Fprintln(w, "#", p)
		}
		return nil
	}
	type step struct {
		Op    string   `json:"op"`
		Ports []string `json:"ports,omitempty"`
	}
	type problem struct {
		Port  string `json:"port"`
		Error string `json:"error"`
	}
	out := struct {
		Steps    []step    `json:"steps"`
		Problems []problem `json:"problems"`
	}{Steps: []step{}, Problems: []problem{}}
	for _, op := range ops {
		out.Steps = append(out.Steps, step{op.String(), op.Ports()})
	}
	for _, p := range problems {
		out.Problems = append(out.Problems, problem{p.Port, p.Err.Error()})
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}
