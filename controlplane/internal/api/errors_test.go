package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pointsman/pointsman/controlplane/internal/store"
)

// TestErrorsOfServicesGetCodes: services wrap what they were told; the code is found inside.
func TestErrorsOfServicesGetCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		code codes.Code
		says string
	}{
		{nil, codes.OK, ""},
		{fmt.Errorf("outer: %w", store.Refuse(store.Exhausted, "no machine is free")), codes.ResourceExhausted, "no machine is free"},
		{store.Refuse(store.Aborted, "try again"), codes.Aborted, "try again"},
		{fmt.Errorf("commit: %w", rpctypes.ErrNoSpace), codes.Unavailable, "etcd is full"},
		{fmt.Errorf("commit: %w", rpctypes.ErrNoLeader), codes.Unavailable, "under the same request_id"},
		{fmt.Errorf("commit: %w", status.Error(codes.Unavailable, "connection refused")), codes.Unavailable, "etcd does not answer (connection refused)"},
		{fmt.Errorf("read: %w", context.DeadlineExceeded), codes.Unavailable, "under the same request_id"},
		{fmt.Errorf("%w: %w", store.ErrConflict, context.DeadlineExceeded), codes.Aborted, "try again"},
		{context.Canceled, codes.Canceled, ""},
		{store.ErrRequestReused, codes.InvalidArgument, "request_id"},
		{errStopping, codes.Unavailable, "ask again"},
		{status.Error(codes.InvalidArgument, "id: must be a DNS label"), codes.InvalidArgument, "id: must be"},
		{errors.New("decode Network: bad"), codes.Internal, "decode Network"},
	} {
		st := status.Convert(coded(c.err))
		if st.Code() != c.code || !strings.Contains(st.Message(), c.says) {
			t.Errorf("%v becomes %s %q, want %s %q", c.err, st.Code(), st.Message(), c.code, c.says)
		}
	}
}

// TestEveryRefusalHasACode: a kind that is added to the store must not arrive as OK.
func TestEveryRefusalHasACode(t *testing.T) {
	for kind := store.Invalid; kind <= store.Aborted; kind++ {
		if code := status.Code(coded(store.Refuse(kind, "x"))); code == codes.OK || code == codes.Unknown {
			t.Errorf("kind %d becomes %s", kind, code)
		}
	}
}
