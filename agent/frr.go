package main

import (
	"log/slog"
	"os"
	"path/filepath"

	"github.com/pointsman/pointsman/agent/internal/config"
	"github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/agent/internal/system/identify"
	"github.com/pointsman/pointsman/agent/internal/system/linux"
	"github.com/pointsman/pointsman/agent/internal/system/sonic"
)

// socketLink leads to FRR's sockets where they are in a container.
const socketLink = "/run/pointsman/frr"

// openFRR opens FRR where the network OS has it. On SONiC that is a container, unless the agent runs beside it; configured is what the
// network OS is to configure it by.
func openFRR(found identify.OS, cfg config.Config, log *slog.Logger) (client *frr.Client, configured linux.FRR) {
	o := frr.Options{Dir: cfg.FRR.SocketDir, ConfigFile: cfg.FRR.ConfigFile, Log: log}
	if found != identify.SONiC {
		client = frr.New(o)
		return client, client
	}
	mapped := filepath.Dir(sonic.DefaultFRRConfig)
	_, err := os.Stat(mapped)
	if err == nil && o.ConfigFile == config.Default().FRR.ConfigFile {
		o.ConfigFile = sonic.DefaultFRRConfig
	}
	container, ok := sonic.FindContainer(o.Dir, socketLink)
	if !ok {
		client = frr.New(o)
		return client, client
	}
	o.Dir = container.Link
	if err == nil {
		o.Elsewhere = container.Programs(mapped)
	}
	client = frr.New(o)
	return client, container.Followed(client)
}
