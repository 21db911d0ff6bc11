package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/pointsman/pointsman/agent/internal/config"
	"github.com/pointsman/pointsman/agent/internal/lldp"
	"github.com/pointsman/pointsman/agent/internal/local"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// neighboursCommand: what was heard over LLDP is only in a running agent's memory, so that without one it takes time to listen.
func neighboursCommand() *cobra.Command {
	var listen time.Duration
	cmd := localCommand("neighbours", "Show who is heard over LLDP, and for how long each still counts",
		"Without a running agent nothing is remembered: --listen hears for a while instead. Most systems speak every 30 s.",
		local.Source.Neighbours,
		func(ctx context.Context, cfg config.Config) (local.Neighbours, error) { return hear(ctx, cfg, listen) },
		func(n local.Neighbours, w io.Writer) error { return n.Table(w, time.Now()) })
	cmd.Flags().DurationVar(&listen, "listen", 0, "how long to listen if no agent is running")
	return cmd
}

// hear listens by itself.
func hear(ctx context.Context, cfg config.Config, listen time.Duration) (local.Neighbours, error) {
	if listen <= 0 {
		return local.Neighbours{}, fmt.Errorf("%w, and neighbours are only in its memory; listen now with --listen 35s", local.ErrNotRunning)
	}
	ctx, cancel := context.WithTimeout(ctx, listen)
	defer cancel()
	l := &lldp.Listener{
		Switch: cfg.Switch, Want: func(port string) bool { return !slices.Contains(cfg.Management, port) },
		OnChange: func(string, netmodel.Discovery) {}, Log: slog.New(slog.DiscardHandler),
	}
	if err := l.Run(ctx); err != nil {
		return local.Neighbours{}, err
	}
	out := local.NeighboursOf(l)
	if len(out.Listening) == 0 {
		return out, errors.New("listen for LLDP: no port could be listened on; it takes CAP_NET_RAW, and ports")
	}
	return out, nil
}
