// Package api is the surface of the control plane, as gRPC and as REST: it checks requests, hands them to the services, and turns what comes
// back into messages, and errors into codes with a word on what to do. It decides nothing about networks or machines.
// controlplane/main.go serves it.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/protovalidate"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
)

// Server serves the API: gRPC, and REST beside it on the same listener.
type Server struct {
	grpc     *grpc.Server
	rest     *rest
	metrics  *metrics
	stopping context.CancelFunc

	mu       sync.Mutex
	stopped  bool
	listener net.Listener
}

// Keepalives: a client whose laptop went to sleep is noticed, and one that pings all the time is sent away.
const (
	pingAfter   = 30 * time.Second
	pingTimeout = 10 * time.Second
	pingAtMost  = 10 * time.Second
)

// Register adds services to a server. Contexts of streams should end with stopping, or a stop waits for them.
type Register func(to grpc.ServiceRegistrar, stopping context.Context)

// NewServer makes a server of the services that register adds, with reflection and health beside them.
func NewServer(register Register, authenticate auth.AuthFunc, health *Health, log *slog.Logger) (*Server, error) {
	validator, err := newValidator()
	if err != nil {
		return nil, err
	}
	rest, err := newREST()
	if err != nil {
		return nil, err
	}
	counted := newMetrics()
	// Metrics count every call, so that they are outermost. Authentication is outside logging, so that the log line of a call says
	// who called; recovery is inside, so that a panic is logged as the failed call that it is.
	calls := logTo(log)
	server := grpc.NewServer(
		grpc.ChainUnaryInterceptor(
			counted.calls.UnaryServerInterceptor(),
			auth.UnaryServerInterceptor(authenticate),
			nameRequest,
			logging.UnaryServerInterceptor(calls, logOptions...),
			recovery.UnaryServerInterceptor(recovery.WithRecoveryHandlerContext(recovered(log))),
			unaryErrors,
			protovalidate.UnaryServerInterceptor(validator),
		),
		grpc.ChainStreamInterceptor(
			counted.calls.StreamServerInterceptor(),
			auth.StreamServerInterceptor(authenticate),
			logging.StreamServerInterceptor(calls, logOptions...),
			recovery.StreamServerInterceptor(recovery.WithRecoveryHandlerContext(recovered(log))),
			streamErrors,
			protovalidate.StreamServerInterceptor(validator),
		),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingAtMost, PermitWithoutStream: true}),
	)
	stopping, stop := context.WithCancel(context.Background())
	register(server, stopping)
	grpc_health_v1.RegisterHealthServer(server, health.server)
	reflection.Register(server)
	counted.calls.InitializeMetrics(server)
	return &Server{grpc: server, rest: rest, metrics: counted, stopping: stop}, nil
}

// Serve answers on a listener until Stop is called.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	s.listener = l
	if s.stopped {
		s.mu.Unlock()
		return l.Close()
	}
	s.mu.Unlock()
	parts := split(l)
	var all errgroup.Group
	for _, serve := range []func() error{
		parts.run,
		func() error { return s.grpc.Serve(parts.grpc) },
		func() error { return s.grpc.Serve(s.rest.pipe) },
		func() error { return s.rest.serve(parts.rest) },
	} {
		all.Go(func() error {
			err := serve()
			_ = l.Close() // one part alone is no API
			if errors.Is(err, net.ErrClosed) && s.isStopped() {
				return nil
			}
			return err
		})
	}
	return all.Wait()
}

func (s *Server) isStopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// Stop takes no more calls, ends streams, and waits for calls that run until ctx ends.
func (s *Server) Stop(ctx context.Context) {
	s.mu.Lock()
	s.stopped = true
	if s.listener != nil {
		_ = s.listener.Close()
	}
	s.mu.Unlock()
	s.stopping()
	s.rest.stop(ctx) // its requests are calls: first
	_ = s.rest.conn.Close()
	done := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
	}
}
