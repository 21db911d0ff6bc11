package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/advertise"
	"github.com/pointsman/pointsman/agent/internal/agent"
	"github.com/pointsman/pointsman/agent/internal/config"
	"github.com/pointsman/pointsman/agent/internal/failpoint"
	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/pkg/version"
)

func runCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "run", Short: "Run this switch as the control plane wants it", Args: cobra.NoArgs}
	load := configFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		return run(cmd.Context(), cfg, newLog(cfg))
	}
	return cmd
}

// fabricWait is how long machines wait for the fabric when their switch boots, and no longer: two machines of one leaf need none.
const fabricWait = 20 * time.Second

func run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	sw, err := openSystem(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer sw.close()
	sys := sw.sys
	client, err := intent.Dial(cfg.Etcd.Access(), cfg.Etcd.BindDevice, log)
	if err != nil {
		return err
	}
	defer client.Close()
	kernel, boot, err := kernelIdentity()
	if err != nil {
		return err
	}
	log.Info("agent starts", "version", version.Version, "os", sw.found.OS, "os_version", sw.found.Version, "os_by", sw.found.Why, "kernel", kernel, "etcd", strings.Join(cfg.Etcd.Endpoints, ","), "device", cfg.Etcd.BindDevice)
	go sys.Keep(ctx, sw.frr)
	go advertise.Run(ctx, cfg.Management, log)
	err = agent.Run(ctx, agent.Config{
		Switch: cfg.Switch, StateDir: cfg.StateDir, System: failpoint.Around(sys, log), FRR: sw.frr, Etcd: client,
		CutOff:        func(ctx context.Context) bool { return intent.CutOff(ctx, cfg.Etcd.Endpoints, cfg.Etcd.BindDevice) },
		ConfirmWindow: cfg.ConfirmWindow, FullPass: cfg.FullPass, HeartbeatTTL: cfg.HeartbeatTTL, FabricWait: fabricWait,
		Ready:    func() { notify(log) },
		SendLLDP: cfg.SendLLDP, Discover: true, Ports: func(port string) bool { return !slices.Contains(cfg.Management, port) },
		Kernel: kernelReport(kernel, sys), BootID: boot, Metrics: cfg.Metrics.Address, MetricsDevice: cfg.Metrics.Device,
		Templates: sw.templates, TemplatesRefused: sw.refused, Log: log,
	})
	log.Info("agent ends; the data plane stays as it is")
	return err
}

// notify tells systemd, or who starts the agent like it (NOTIFY_SOCKET), that what comes after the agent may start.
func notify(log *slog.Logger) {
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		log.Warn("the service manager does not hear that the agent is ready", "err", err)
	}
}

// kernelReport is what the switch's status says of its kernel: an operator must see where nothing keeps machines off the CPU.
func kernelReport(release string, sys system.Switch) string {
	if sys.Protects() {
		return release
	}
	return release + " (self-protection is off)"
}

// kernelIdentity returns the kernel's release and the id of this boot.
func kernelIdentity() (release, boot string, err error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", "", fmt.Errorf("read kernel release: %w", err)
	}
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", "", fmt.Errorf("read boot id: %w", err)
	}
	return unix.ByteSliceToString(u.Release[:]), strings.TrimSpace(string(id)), nil
}
