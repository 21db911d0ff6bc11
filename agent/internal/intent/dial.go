package intent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/pointsman/pointsman/pkg/etcdaccess"
)

// Keepalive of connections to etcd. The server takes pings more often than every 5 s for an attack and hangs up.
const (
	keepaliveTime    = 6 * time.Second
	keepaliveTimeout = 3 * time.Second
)

// Dial returns a client of etcd at once and connects behind its back, again and again: a switch whose etcd is away is an ordinary
// switch. Connections leave by the device bind, if there is one, such as the VRF of management.
func Dial(access etcdaccess.Access, bind string, log *slog.Logger) (*clientv3.Client, error) {
	dialer := dialer(bind)
	return access.New(clientv3.Config{
		DialKeepAliveTime: keepaliveTime, DialKeepAliveTimeout: keepaliveTimeout, PermitWithoutStream: true,
		Logger: zap.NewNop(), // what matters is said by who calls, once
		DialOptions: []grpc.DialOption{
			grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
				conn, err := dialer.DialContext(ctx, "tcp", addr)
				if err != nil {
					log.Debug("cannot connect to etcd", "address", addr, "device", bind, "err", err)
				}
				return conn, err
			}),
			// A control plane that restarts is followed again within a second; thousands of agents spread by the jitter.
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.5, Jitter: 0.3, MaxDelay: 3 * time.Second},
				MinConnectTimeout: 3 * time.Second,
			}),
		},
	})
}

func dialer(bind string) net.Dialer {
	d := net.Dialer{Timeout: 3 * time.Second}
	if bind != "" {
		d.Control = bindToDevice(bind)
	}
	return d
}

// CutOff tells whether no endpoint gives any answer until ctx ends. A refused connection is an answer: the way is there, and it is
// only etcd that is not.
func CutOff(ctx context.Context, endpoints []string, bind string) bool {
	d := dialer(bind)
	for _, endpoint := range endpoints {
		u, err := url.Parse(endpoint)
		if err != nil {
			continue
		}
		conn, err := d.DialContext(ctx, "tcp", u.Host)
		if err == nil {
			_ = conn.Close()
			return false
		}
		if errors.Is(err, unix.ECONNREFUSED) {
			return false
		}
	}
	return true
}

func bindToDevice(device string) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		if ctl := c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), device) }); ctl != nil {
			return ctl
		}
		if err != nil {
			return fmt.Errorf("bind to device %q: %w", device, err)
		}
		return nil
	}
}
