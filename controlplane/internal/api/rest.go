package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// pipeSize is the buffer between REST and gRPC inside the process.
const pipeSize = 256 << 10

// rest translates REST into gRPC calls of this server, through a pipe inside the process, so that they pass the same
// interceptors as all others.
type rest struct {
	pipe *bufconn.Listener
	conn *grpc.ClientConn
	http *http.Server
}

func newREST() (*rest, error) {
	r := &rest{pipe: bufconn.Listen(pipeSize)}
	conn, err := grpc.NewClient("passthrough:///here", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return r.pipe.DialContext(ctx) }))
	if err != nil {
		return nil, fmt.Errorf("connect REST to the API: %w", err)
	}
	r.conn = conn
	gateway := runtime.NewServeMux()
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		apiv1.RegisterNetworkServiceHandler, apiv1.RegisterIPServiceHandler, apiv1.RegisterMachineServiceHandler,
		apiv1.RegisterSwitchServiceHandler, apiv1.RegisterAllocationServiceHandler, apiv1.RegisterChangeServiceHandler,
	} {
		if err := register(context.Background(), gateway, conn); err != nil {
			return nil, fmt.Errorf("register REST: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", gateway)
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, apiv1.OpenAPI) // the client may be gone
	})
	// Nobody proves who they are, so that a web page must not be able to act through the browser of somebody on this host.
	guarded := ownName(http.NewCrossOriginProtection().Handler(mux))
	r.http = &http.Server{Handler: guarded, ReadHeaderTimeout: firstBytes, IdleTimeout: 2 * time.Minute}
	return r, nil
}

// ownName refuses requests that came to the loopback under another name: such a name was made to resolve to this host by
// somebody whose page a browser here has open (DNS rebinding).
func ownName(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if local != nil && isLoopback(local.String()) && !isLoopback(r.Host) {
			http.Error(w, fmt.Sprintf("this is not %s: ask for 127.0.0.1 or localhost", r.Host), http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func (r *rest) serve(l net.Listener) error {
	if err := r.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// stop waits for requests that run until ctx ends.
func (r *rest) stop(ctx context.Context) {
	if r.http.Shutdown(ctx) != nil {
		_ = r.http.Close()
	}
}
