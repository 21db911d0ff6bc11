package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/pointsman/pointsman/controlplane/internal/api"
	"github.com/pointsman/pointsman/controlplane/internal/auth"
	"github.com/pointsman/pointsman/controlplane/internal/etcdserver"
	"github.com/pointsman/pointsman/pkg/version"
)

const configFlag = "config"

// startLimit is how long etcd may take to come up: a member that replays a long log needs a while.
const startLimit = 2 * time.Minute

// stopLimit is how long calls that run may take to end.
const stopLimit = 5 * time.Second

func serveCommand() *cobra.Command {
	var c config
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API (what happens without a command)",
		Long: `Serve Pointsman's API over etcd: an embedded one in --data-dir, which agents reach at --etcd-listen-client, or one outside
that --etcd-endpoints names; any number of control planes may share that.

Once it serves, one line of JSON on standard output says where: {"grpc":"127.0.0.1:7443",
"rest":"http://127.0.0.1:7443/v1","metrics":"http://127.0.0.1:7444/metrics","etcd":["http://127.0.0.1:2379"]}.
Logs go to standard error. SIGTERM ends calls that run, then the control plane, then etcd.

Each flag is a field of the file that --config names, too; the command line wins.`,
		Example: `  pointsman-controlplane --data-dir /var/lib/pointsman
  pointsman-controlplane --config /etc/pointsman/controlplane.yaml
  pointsman-controlplane --etcd-endpoints https://10.0.0.1:2379,https://10.0.0.2:2379,https://10.0.0.3:2379 \
    --etcd-ca ca.pem --etcd-cert controlplane.pem --etcd-key controlplane.key`,
		Args: cobra.NoArgs,
	}
	c.flags(cmd.Flags())
	file := cmd.Flags().String(configFlag, "", "YAML file with these flags as fields")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *file != "" {
			if err := readConfig(*file, cmd.Flags()); err != nil {
				return err
			}
		}
		if err := c.check(); err != nil {
			return err
		}
		level, err := c.level()
		if err != nil {
			return err
		}
		log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
		return serve(cmd.Context(), c, cmd.OutOrStdout(), log)
	}
	return cmd
}

// serve runs a control plane until ctx ends or one of its parts does. What starts later ends earlier: calls, services, etcd.
func serve(ctx context.Context, c config, out io.Writer, log *slog.Logger) (err error) {
	log.Info("pointsman-controlplane", "version", version.Version)
	endpoints, quota, etcdDied, stopEtcd, err := startEtcd(ctx, c, log)
	if err != nil {
		return err
	}
	defer stopEtcd()
	access := c.etcd
	access.Endpoints = endpoints
	client, err := etcdserver.Connect(access, log)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // nothing is left to be sent

	running, stopServices := context.WithCancel(context.WithoutCancel(ctx))
	services, running := errgroup.WithContext(running)
	defer func() {
		stopServices()
		if waitErr := services.Wait(); !errors.Is(waitErr, context.Canceled) {
			err = errors.Join(err, waitErr)
		}
	}()
	health := api.NewHealth(log, api.CachesBehind)
	behind, err := startServices(ctx, running, services, c, client, health, quota, log)
	if err != nil {
		return err
	}

	server, err := api.NewServer(behind.Register, auth.Authenticate(), health, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.listen)
	if err != nil {
		return fmt.Errorf("listen for the API: %w", err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		stopping, cancel := context.WithTimeout(context.Background(), stopLimit)
		defer cancel()
		server.Stop(stopping)
	}()
	metrics, stopMetrics, err := serveMetrics(c.metricsAddress(), server.Metrics())
	if err != nil {
		return err
	}
	defer stopMetrics()
	address := listener.Addr().String()
	where := ready{GRPC: address, REST: "http://" + address + "/v1", Metrics: "http://" + metrics + "/metrics", Etcd: endpoints}
	if err := where.tell(out, c.readyFile); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		log.Info("stopping")
		return nil
	case err := <-served:
		return fmt.Errorf("serve the API: %w", err)
	case <-running.Done():
		return errors.New("a service ended")
	case err := <-etcdDied:
		return fmt.Errorf("etcd ended: %w", err)
	}
}

// serveMetrics serves metrics until stop is called. Their loss ends nothing else.
func serveMetrics(listen string, metrics http.Handler) (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return "", nil, fmt.Errorf("listen for metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // ends with stop
	return listener.Addr().String(), func() { _ = server.Close() }, nil
}

// startEtcd starts the embedded etcd unless one outside is named. quota is 0 for one outside.
func startEtcd(ctx context.Context, c config, log *slog.Logger) (endpoints []string, quota int64, died <-chan error, stop func(), err error) {
	if len(c.etcd.Endpoints) > 0 {
		return c.etcd.Endpoints, 0, nil, func() {}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	etcd, err := etcdserver.Start(ctx, etcdserver.Config{Dir: filepath.Join(c.dataDir, "etcd"), Listen: c.etcdListenClient, Log: log})
	if err != nil {
		return nil, 0, nil, nil, err
	}
	return []string{etcd.Endpoint()}, etcd.Quota(), etcd.Err(), etcd.Close, nil
}
