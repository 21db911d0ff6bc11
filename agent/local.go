package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pointsman/pointsman/agent/internal/config"
	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/local"
)

// localCommands ask the running agent, and read what can be read without it where there is none.
func localCommands() []*cobra.Command {
	return []*cobra.Command{
		localCommand("status", "Show this switch on one page: ports, sessions, generations, what is wrong",
			"Without a running agent: the last intent on disk, and the ports and sessions as they are now.",
			local.Source.Status, offlineStatus, func(s local.Status, w io.Writer) error { return s.Table(w, time.Now()) }),
		localCommand("intent", "Show what the store last said",
			"Without a running agent: the last intent on disk.",
			local.Source.Intent, offlineIntent, local.Intent.Table),
		localCommand("diff", "Show the steps that the next pass would take, and take none",
			"An empty answer means that the switch is what it must be. Without a running agent, the intent is that on disk.",
			local.Source.Steps, offlineSteps, local.Steps.Table),
		neighboursCommand(),
	}
}

func localCommand[V any](
	use, short, long string,
	ask func(local.Source, context.Context) (V, error),
	offline func(context.Context, config.Config) (V, error),
	table func(V, io.Writer) error,
) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: short + ".\n" + long, Args: cobra.NoArgs}
	load, format := configFlags(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := local.CheckFormat(*format); err != nil {
			return err
		}
		cfg, err := load()
		if err != nil {
			return err
		}
		v, err := ask(local.NewClient(local.Socket(cfg.StateDir)), cmd.Context())
		if errors.Is(err, local.ErrNotRunning) {
			v, err = offline(cmd.Context(), cfg)
		}
		if err != nil {
			return err
		}
		return local.Write(cmd.OutOrStdout(), *format, v, func(w io.Writer) error { return table(v, w) })
	}
	return cmd
}

func formatFlag(cmd *cobra.Command) *string {
	return cmd.Flags().StringP("output", "o", local.Table, strings.Join(local.Formats, ", "))
}

// lastIntent is the intent on disk.
func lastIntent(cfg config.Config) (intent.Snapshot, error) {
	last, err := intent.Read(cfg.StateDir)
	if err == nil && !last.Known() {
		err = errors.New("no agent is running, and no intent is on disk yet")
	}
	return last, err
}

func offlineIntent(_ context.Context, cfg config.Config) (local.Intent, error) {
	last, err := lastIntent(cfg)
	if err != nil {
		return local.Intent{}, err
	}
	return local.IntentOf(last)
}
