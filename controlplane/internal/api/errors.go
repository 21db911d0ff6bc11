package api

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pointsman/pointsman/controlplane/internal/store"
)

// callLimit ends a call whose client gave no deadline: without it, one would wait for an etcd that is away for ever.
const callLimit = 20 * time.Second

// unaryErrors gives the errors of services their codes, and calls their deadline.
func unaryErrors(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callLimit)
		defer cancel()
	}
	answer, err := handle(ctx, req)
	return answer, coded(err)
}

// errStopping ends streams when the server stops.
var errStopping = errors.New("the control plane stops; ask again")

func streamErrors(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	return coded(handle(srv, stream))
}

var refusals = map[store.Kind]codes.Code{
	store.Invalid:      codes.InvalidArgument,
	store.NotFound:     codes.NotFound,
	store.Exists:       codes.AlreadyExists,
	store.Precondition: codes.FailedPrecondition,
	store.Exhausted:    codes.ResourceExhausted,
	store.Aborted:      codes.Aborted,
	store.OutOfRange:   codes.OutOfRange,
}

// coded turns an error of a service into one with a code, on which programs branch, and a message that says what to do.
func coded(err error) error {
	var refusal *store.Refusal
	var etcd rpctypes.EtcdError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		return status.Error(refusals[refusal.Kind], refusal.Text)
	case errors.Is(err, errStopping):
		return status.Error(codes.Unavailable, errStopping.Error())
	case errors.Is(err, store.ErrRequestReused):
		return status.Error(codes.InvalidArgument, store.ErrRequestReused.Error())
	case errors.Is(err, rpctypes.ErrNoSpace):
		return status.Error(codes.Unavailable, StoreFull+"; see the control plane's log")
	case errors.Is(err, store.ErrConflict):
		return status.Error(codes.Aborted, "others change the same things all the time; try again")
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, err.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &etcd):
		return status.Errorf(codes.Unavailable, "etcd does not answer as it should (%v); repeat the request under the same request_id", err)
	}
	var inside interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &inside) {
		return status.Error(codes.Internal, err.Error())
	}
	switch st := inside.GRPCStatus(); st.Code() {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return status.Errorf(codes.Unavailable, "etcd does not answer (%s); repeat the request under the same request_id", st.Message())
	default:
		return err
	}
}
