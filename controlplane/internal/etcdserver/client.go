package etcdserver

import (
	"fmt"
	"log/slog"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// NewClient returns a client of an etcd, embedded or outside. It connects lazily: an etcd that is away is seen by requests.
// Keepalives notice within seconds a connection whose other end is gone without a word.
func NewClient(endpoints []string, log *slog.Logger) (*clientv3.Client, error) {
	c, err := clientv3.New(clientv3.Config{
		Endpoints:            endpoints,
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 3 * time.Second,
		Logger:               ZapLogger(log),
	})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd at %v: %w", endpoints, err)
	}
	return c, nil
}
