// Package api is the gRPC surface of the control plane: it checks requests, hands them to the services, and turns what comes
// back into messages, and errors into codes with a word on what to do. It decides nothing about networks or machines.
// controlplane/main.go serves it.
package api

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/protovalidate"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
)

// Server serves the API.
type Server struct {
	grpc     *grpc.Server
	stopping context.CancelFunc
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
	// Authentication is outermost, so that the log line of a call says who called; recovery is inside logging, so that a panic
	// is logged as the failed call that it is.
	calls := logTo(log)
	server := grpc.NewServer(
		grpc.ChainUnaryInterceptor(
			auth.UnaryServerInterceptor(authenticate),
			nameRequest,
			logging.UnaryServerInterceptor(calls, logOptions...),
			recovery.UnaryServerInterceptor(recovery.WithRecoveryHandlerContext(recovered(log))),
			unaryErrors,
			protovalidate.UnaryServerInterceptor(validator),
		),
		grpc.ChainStreamInterceptor(
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
	return &Server{grpc: server, stopping: stop}, nil
}

// Serve answers on a listener until Stop is called.
func (s *Server) Serve(l net.Listener) error { return s.grpc.Serve(l) }

// Stop takes no more calls, ends streams, and waits for calls that run until ctx ends.
func (s *Server) Stop(ctx context.Context) {
	s.stopping()
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
