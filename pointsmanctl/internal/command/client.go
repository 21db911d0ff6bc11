package command

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/retry"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// attempts at one request while the control plane is away: about three seconds, which a restart takes.
const (
	attempts  = 6
	firstWait = 100 * time.Millisecond
	// The control plane allows a ping every ten seconds.
	pingAfter   = 20 * time.Second
	pingTimeout = 10 * time.Second
)

// client is the API's services over one connection.
type client struct {
	conn        *grpc.ClientConn
	networks    apiv1.NetworkServiceClient
	ips         apiv1.IPServiceClient
	machines    apiv1.MachineServiceClient
	switches    apiv1.SwitchServiceClient
	allocations apiv1.AllocationServiceClient
	changes     apiv1.ChangeServiceClient
}

// ask makes a command's RunE of what it does with the API.
func (a *app) ask(do func(ctx context.Context, c *client, args []string) error) func(*cobra.Command, []string) error {
	return run(func(ctx context.Context, args []string) error {
		c, err := a.api()
		if err != nil {
			return err
		}
		return do(ctx, c, args)
	})
}

// api prepares the connection, which is made by the first request.
func (a *app) api() (*client, error) {
	if a.client != nil {
		return a.client, nil
	}
	if err := a.settle(); err != nil {
		return nil, err
	}
	trust, err := a.target.credentials()
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(a.server,
		grpc.WithTransportCredentials(trust),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: firstWait, Multiplier: 2, Jitter: 0.2, MaxDelay: time.Second}}),
		// A watch whose line went dead without a word is noticed.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.WithChainUnaryInterceptor(
			limit(a.timeout),
			// Requests carry an id, so that one which was carried out although its answer got lost is not carried out again.
			retry.UnaryClientInterceptor(retry.WithMax(attempts), retry.WithCodes(codes.Unavailable), retry.WithBackoff(retry.BackoffExponential(firstWait))),
			a.noteLost,
		),
	)
	if err != nil {
		return nil, usagef("--server %q: %w", a.server, err)
	}
	a.client = &client{
		conn:        conn,
		networks:    apiv1.NewNetworkServiceClient(conn),
		ips:         apiv1.NewIPServiceClient(conn),
		machines:    apiv1.NewMachineServiceClient(conn),
		switches:    apiv1.NewSwitchServiceClient(conn),
		allocations: apiv1.NewAllocationServiceClient(conn),
		changes:     apiv1.NewChangeServiceClient(conn),
	}
	return a.client, nil
}

func (a *app) close() {
	if a.client != nil {
		_ = a.client.conn.Close() // the run is over
	}
}

// limit ends a request, its retries included, after the time of --timeout.
func limit(timeout time.Duration) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return invoke(ctx, method, req, reply, cc, opts...)
	}
}

// noteLost keeps why a request did not get through: of those that are tried until their time ends, only that is told to the caller.
func (a *app) noteLost(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoke(ctx, method, req, reply, cc, opts...)
	if status.Code(err) == codes.Unavailable {
		why := status.Convert(err).Message()
		a.lost.Store(&why)
	}
	return err
}

// requestID makes the id under which a request and its retries count once.
func requestID() string { return rand.Text() }

// asked is the control plane as errors name it.
func (a *app) asked() string {
	if a.target.named == "" {
		return a.server
	}
	return a.server + " (context " + a.target.named + ")"
}

// explain says what to do about an error where the API could not.
func (a *app) explain(err error) string {
	st, ok := status.FromError(err)
	if !ok {
		return err.Error()
	}
	switch st.Code() {
	case codes.Unavailable:
		return fmt.Sprintf("the control plane at %s does not answer: %s. Start it, or name another one with --server or $%s, or --context", a.asked(), st.Message(), serverVariable)
	case codes.DeadlineExceeded:
		if why := a.lost.Load(); why != nil {
			return fmt.Sprintf("the control plane at %s could not be reached in time: %s", a.asked(), *why)
		}
		return fmt.Sprintf("the control plane at %s did not answer in time: try again, or give it longer with --timeout", a.asked())
	case codes.Unimplemented:
		return fmt.Sprintf("the control plane at %s is older than this pointsmanctl: %s", a.asked(), st.Message())
	case codes.Canceled:
		return "interrupted"
	default:
		return st.Message()
	}
}
