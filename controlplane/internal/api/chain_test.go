package api

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/pointsman/pointsman/controlplane/internal/auth"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// networks is a service that panics on one request and shows its caller on another.
type networks struct {
	apiv1.UnimplementedNetworkServiceServer
}

func (networks) CreateNetwork(context.Context, *apiv1.CreateNetworkRequest) (*apiv1.Network, error) {
	panic("out of cheese")
}

func (networks) DeleteNetwork(ctx context.Context, _ *apiv1.DeleteNetworkRequest) (*apiv1.DeleteNetworkResponse, error) {
	return nil, status.Error(codes.NotFound, auth.FromContext(ctx).Name+" looks in vain")
}

// logBuffer is a log that a server's goroutines write while a test reads.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func serve(t *testing.T, health func(*slog.Logger) *Health) (*grpc.ClientConn, *logBuffer, *Health) {
	t.Helper()
	out := &logBuffer{}
	log := slog.New(slog.NewTextHandler(out, nil))
	h := health(log)
	alice := func(ctx context.Context) (context.Context, error) {
		return auth.NewContext(ctx, auth.Caller{Name: "alice"}), nil
	}
	server, err := NewServer(func(to grpc.ServiceRegistrar, _ context.Context) { apiv1.RegisterNetworkServiceServer(to, networks{}) }, alice, h, log)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop(context.Background())
		if err := <-served; err != nil {
			t.Errorf("Serve ended with %v", err)
		}
	})
	return conn, out, h
}

func TestPanicsFailOneCall(t *testing.T) {
	conn, log, _ := serve(t, func(log *slog.Logger) *Health { return NewHealth(log) })
	c := apiv1.NewNetworkServiceClient(conn)
	_, err := c.CreateNetwork(t.Context(), &apiv1.CreateNetworkRequest{RequestId: "r1"})
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "cheese") {
		t.Errorf("the caller is told %v", err)
	}
	if _, err := c.DeleteNetwork(t.Context(), &apiv1.DeleteNetworkRequest{Id: "x"}); status.Code(err) != codes.NotFound {
		t.Errorf("the next call: %v", err)
	}
	for _, want := range []string{"out of cheese", "chain_test.go", "level=ERROR msg=\"finished call\""} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
}

func TestCallsAreLoggedWithWhoAndWhat(t *testing.T) {
	conn, log, _ := serve(t, func(log *slog.Logger) *Health { return NewHealth(log) })
	c := apiv1.NewNetworkServiceClient(conn)
	_, err := c.DeleteNetwork(t.Context(), &apiv1.DeleteNetworkRequest{Id: "x", RequestId: "r2"})
	if !strings.Contains(status.Convert(err).Message(), "alice looks in vain") {
		t.Errorf("the service does not see the caller: %v", err)
	}
	for _, want := range []string{"method=DeleteNetwork", "caller=alice", "request_id=r2", "code=NotFound", "peer=127.0.0.1", "looks in vain", "took="} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if _, err := c.ListNetworks(t.Context(), &apiv1.ListNetworksRequest{}); status.Code(err) != codes.Unimplemented {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "ListNetworks") || strings.Contains(log.String(), "grpc.") {
		t.Errorf("reading is logged at info:\n%s", log)
	}
}

func TestHealthServesWhenNothingStandsAgainstIt(t *testing.T) {
	conn, log, h := serve(t, func(log *slog.Logger) *Health { return NewHealth(log, CachesBehind) })
	c := grpc_health_v1.NewHealthClient(conn)
	check := func(want grpc_health_v1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		r, err := c.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		if err != nil || r.GetStatus() != want {
			t.Errorf("health is %s, %v, want %s", r.GetStatus(), err, want)
		}
	}
	check(grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	h.Set(StoreFull, true)
	h.Set(CachesBehind, false)
	check(grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	h.Set(StoreFull, false)
	check(grpc_health_v1.HealthCheckResponse_SERVING)
	if !strings.Contains(log.String(), StoreFull) {
		t.Errorf("the log does not say why:\n%s", log)
	}
}
