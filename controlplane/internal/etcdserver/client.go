package etcdserver

import (
	"log/slog"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/pkg/etcdaccess"
)

// NewClient returns a client of an etcd without TLS and authentication.
func NewClient(endpoints []string, log *slog.Logger) (*clientv3.Client, error) {
	return Connect(etcdaccess.Access{Endpoints: endpoints}, log)
}

// Connect returns a client of an etcd, embedded or outside. It connects lazily: an etcd that is away is seen by requests.
// Keepalives notice within seconds a connection whose other end is gone without a word.
func Connect(a etcdaccess.Access, log *slog.Logger) (*clientv3.Client, error) {
	return a.New(clientv3.Config{DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 3 * time.Second, Logger: ZapLogger(log)})
}
