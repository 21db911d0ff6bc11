package main

import (
	"errors"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/pointsman/pointsman/agent/internal/check"
	"github.com/pointsman/pointsman/agent/internal/local"
	"github.com/pointsman/pointsman/agent/internal/system/identify"
)

var errNotReady = errors.New("this switch is not ready: see the lines that fail")

func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check", Short: "Try whether this switch has everything that the agent needs", Args: cobra.NoArgs,
		Long: "Try kernel, FRR, permissions, etcd and disk before the agent runs for the first time. Kernel features are tried in a network namespace\n" +
			"that is thrown away; the switch is not touched. Exits with 1 if something fails; a warning is something that the agent does without.",
	}
	load, format := configFlags(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := local.CheckFormat(*format); err != nil {
			return err
		}
		cfg, err := load()
		if err != nil {
			return err
		}
		found, err := identify.On(os.DirFS("/"), cfg.NetworkOS)
		if err != nil {
			found.OS = identify.Linux // why, a line of the report says
		}
		routing, configured := openFRR(found.OS, cfg, slog.New(slog.DiscardHandler))
		defer func() { _ = routing.Close() }()
		_, _ = configured.Running(cmd.Context()) // to find it; whether it answers is looked at below
		report := check.Run(cmd.Context(), cfg, routing)
		if err := local.Write(cmd.OutOrStdout(), *format, report, func(w io.Writer) error { return report.Table(w) }); err != nil {
			return err
		}
		if !report.Passed {
			return errNotReady
		}
		return nil
	}
	return cmd
}
