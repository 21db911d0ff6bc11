package api

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pointsman/pointsman/controlplane/internal/auth"
)

// logOptions: one line per call, when it is over, with what an operator asks for.
var logOptions = []logging.Option{
	logging.WithLogOnEvents(logging.FinishCall),
	logging.WithDurationField(func(d time.Duration) logging.Fields { return logging.Fields{"took", d} }),
	logging.WithLevels(logLevel),
	logging.WithFieldsFromContext(func(ctx context.Context) logging.Fields {
		return logging.Fields{"caller", auth.FromContext(ctx).Name}
	}),
}

// logLevel keeps apart what an operator of the control plane must look into (error), what callers did wrong (info), and what
// went well.
func logLevel(code codes.Code) logging.Level {
	switch code {
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return logging.LevelError
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted:
		return logging.LevelWarn
	default:
		return logging.LevelInfo
	}
}

// fieldNames are the fields of a line that are kept, and what they are called; the middleware knows more than a reader wants.
var fieldNames = map[any]string{
	logging.MethodFieldKey: "method", "grpc.code": "code", "grpc.error": "error", "peer.address": "peer",
	"caller": "caller", "request_id": "request_id", "took": "took",
}

// logTo writes to log. Calls that only read are said at debug: a user interface makes many.
func logTo(log *slog.Logger) logging.LoggerFunc {
	return func(ctx context.Context, level logging.Level, msg string, fields ...any) {
		to := slog.Level(level)
		var kept []any
		for i := 0; i+1 < len(fields); i += 2 {
			name, ok := fieldNames[fields[i]]
			if !ok {
				continue
			}
			if name == "method" && to == slog.LevelInfo && reads(fmt.Sprint(fields[i+1])) {
				to = slog.LevelDebug
			}
			kept = append(kept, name, fields[i+1])
		}
		log.Log(ctx, to, msg, kept...)
	}
}

func reads(method string) bool {
	for _, prefix := range []string{"Get", "List", "Watch", "Check", "ServerReflectionInfo"} {
		if strings.HasPrefix(method, prefix) {
			return true
		}
	}
	return false
}

// nameRequest puts the request's id into the line of its call, by which a client's retries are found.
func nameRequest(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if r, ok := req.(interface{ GetRequestId() string }); ok && r.GetRequestId() != "" {
		ctx = logging.InjectLogField(ctx, "request_id", r.GetRequestId())
	}
	return handle(ctx, req)
}

// recovered keeps a call that panics from ending the process with everybody else's calls.
func recovered(log *slog.Logger) func(context.Context, any) error {
	return func(_ context.Context, p any) error {
		log.Error("a call panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		return status.Error(codes.Internal, "the control plane failed on this call; its log says why")
	}
}
