package api

import (
	"cmp"
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/pointsman/pointsman/controlplane/internal/auth"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/wire"
)

// defaultProject is the project of a request that names none.
const defaultProject = "default"

func project(p string) string { return cmp.Or(p, defaultProject) }

// request is a message that changes something.
type request interface {
	proto.Message
	GetRequestId() string
}

// callOf says who asks for what: the identity under which a repeated request is recognised.
func callOf(ctx context.Context, req request) (store.Call, error) {
	method, _ := grpc.Method(ctx)
	hash, err := wire.Hash(req)
	if err != nil { // what protobuf reads and JSON cannot say, such as an empty path in a mask
		return store.Call{}, store.Refuse(store.Invalid, "%v", err)
	}
	return store.Call{Caller: auth.FromContext(ctx).Name, Method: method, RequestID: req.GetRequestId(), RequestHash: hash}, nil
}

// answer turns what a service said into what the API says: the message of the value, or the error.
func answer[V, M any](v V, err error, to func(V) M) (M, error) {
	if err != nil {
		var none M
		return none, err
	}
	return to(v), nil
}
