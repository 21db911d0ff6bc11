// Package etcdserver runs the etcd that the control plane embeds when it is not pointed at one outside, and looks after the
// room in it: compaction, defragmentation, the NOSPACE alarm. It knows nothing of what is stored. controlplane/main.go starts
// it before everything else and closes it after everything else.
package etcdserver

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// DefaultQuota is how large the database may grow before etcd refuses writes, in bytes. etcd's own default.
const DefaultQuota = 2 << 30

// CompactionRetention is how much history is kept: an agent or a replica that was away for less resumes its watch, one that
// was away for longer lists again.
const CompactionRetention = time.Hour

// Config is what Start needs.
type Config struct {
	// Dir holds the member's files; created if absent.
	Dir string
	// Listen is the host:port for clients; port 0 takes a free one.
	Listen string
	// Quota in bytes; 0 means DefaultQuota.
	Quota int64
	// Fast trades safety for speed, for tests: no fsync, and an election in tens of milliseconds.
	Fast bool
	Log  *slog.Logger
}

// Server is a running member. Its methods are safe for concurrent use.
type Server struct {
	etcd     *embed.Etcd
	quota    int64
	stopping *atomic.Bool
	closing  sync.Once
}

// Start starts a member of one and returns once it serves. It ends with an error when ctx does.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create etcd's directory: %w", err)
	}
	stopping := new(atomic.Bool)
	conf := embedConfig(cfg)
	conf.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zapLogger(cfg.Log, stopping))
	etcd, err := embed.StartEtcd(conf)
	if err != nil {
		return nil, fmt.Errorf("start etcd in %s on %s: %w", cfg.Dir, cfg.Listen, err)
	}
	s := &Server{etcd: etcd, quota: conf.QuotaBackendBytes, stopping: stopping}
	select {
	case <-etcd.Server.ReadyNotify():
		return s, nil
	case err := <-etcd.Err():
		s.Close()
		return nil, fmt.Errorf("start etcd in %s on %s: %w", cfg.Dir, cfg.Listen, err)
	case <-ctx.Done():
		s.Close()
		return nil, fmt.Errorf("start etcd in %s on %s: %w", cfg.Dir, cfg.Listen, ctx.Err())
	}
}

func embedConfig(cfg Config) *embed.Config {
	c := embed.NewConfig()
	c.Name = "pointsman"
	c.Dir = filepath.Clean(cfg.Dir)
	c.ListenClientUrls = []url.URL{{Scheme: "http", Host: cfg.Listen}}
	c.AdvertiseClientUrls = c.ListenClientUrls
	// A member of one has no peers: the port that etcd insists on is any free one of the loopback, so that two control planes
	// on one host do not collide on it. The advertised one is only a name in the membership.
	c.ListenPeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	c.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:2380"}}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.AutoCompactionMode = embed.CompactorModePeriodic
	c.AutoCompactionRetention = CompactionRetention.String()
	c.QuotaBackendBytes = cfg.Quota
	if c.QuotaBackendBytes == 0 {
		c.QuotaBackendBytes = DefaultQuota
	}
	if cfg.Fast {
		c.UnsafeNoFsync = true
		c.TickMs, c.ElectionMs = 10, 100
	}
	return c
}

// Addr is the address that clients reach the member at, with the port that was chosen.
func (s *Server) Addr() string { return s.etcd.Clients[0].Addr().String() }

// Endpoint is Addr as a client's endpoint.
func (s *Server) Endpoint() string { return "http://" + s.Addr() }

// Quota is how large the database may grow, in bytes.
func (s *Server) Quota() int64 { return s.quota }

// Err delivers the error that ended the member, if one does.
func (s *Server) Err() <-chan error { return s.etcd.Err() }

// Close stops the member after its clients' requests; the data stays. A second call does nothing.
func (s *Server) Close() {
	s.closing.Do(func() {
		s.stopping.Store(true)
		s.etcd.Close()
	})
}
