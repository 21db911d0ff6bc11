package main

import (
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/pointsman/pointsman/agent/internal/config"
)

// configFlags adds --config and the flags that override what is in the file. The function it returns loads both.
func configFlags(cmd *cobra.Command) func() (config.Config, error) {
	flags := cmd.Flags()
	file := flags.String("config", config.DefaultFile, "configuration file")
	over := config.Config{}
	flags.StringVar(&over.Switch, "switch", "", "name of this switch in the inventory")
	flags.StringSliceVar(&over.Etcd.Endpoints, "etcd-endpoints", nil, "etcd endpoints, as URLs")
	flags.StringVar(&over.Etcd.BindDevice, "etcd-bind-device", "", "device that connections to etcd leave by")
	flags.StringVar(&over.StateDir, "state-dir", "", "directory of the last intent and the journal")
	flags.BoolVar(&over.SendLLDP, "lldp-send", false, "send LLDP on all physical ports")
	flags.BoolVar(&over.Insecure, "insecure", false, "accept an etcd beyond loopback without TLS")
	flags.StringVar((*string)(&over.NetworkOS), "network-os", "", "auto, linux, cumulus or sonic")
	flags.StringVar(&over.LogLevel, "log-level", "", "debug, info, warn or error")
	return func() (config.Config, error) {
		return config.Load(*file, func(c *config.Config) {
			for name, set := range map[string]func(){
				"switch":           func() { c.Switch = over.Switch },
				"etcd-endpoints":   func() { c.Etcd.Endpoints = over.Etcd.Endpoints },
				"etcd-bind-device": func() { c.Etcd.BindDevice = over.Etcd.BindDevice },
				"state-dir":        func() { c.StateDir = over.StateDir },
				"lldp-send":        func() { c.SendLLDP = over.SendLLDP },
				"insecure":         func() { c.Insecure = over.Insecure },
				"network-os":       func() { c.NetworkOS = over.NetworkOS },
				"log-level":        func() { c.LogLevel = over.LogLevel },
			} {
				if flags.Changed(name) {
					set()
				}
			}
		})
	}
}

func newLog(c config.Config) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: c.Level()})).With("switch", c.Switch)
}
