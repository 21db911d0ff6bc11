// Package auth says who calls, and where one may listen while nobody can prove it. Today every caller is Local: authentication
// comes later, at this seam, and until then the API and etcd refuse to listen beyond the loopback. The API's interceptors and
// controlplane/main.go call it.
package auth

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
)

// Caller is who sent a request. Name goes into logs, into the change history, and into the key of request ids, so that two
// callers cannot collide in them.
type Caller struct {
	Name string
}

// Local is the caller of an API that asks for no proof.
var Local = Caller{Name: "local"}

type key struct{}

// NewContext returns ctx with its caller.
func NewContext(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, key{}, c)
}

// FromContext returns the caller of ctx; a context without one is Local.
func FromContext(ctx context.Context) Caller {
	if c, ok := ctx.Value(key{}).(Caller); ok {
		return c
	}
	return Local
}

// Authenticate finds out who calls and places it in the context: for unary and streaming calls alike.
func Authenticate() auth.AuthFunc {
	return func(ctx context.Context) (context.Context, error) { return NewContext(ctx, Local), nil }
}

// CheckListen refuses an address beyond the loopback unless insecure is set. A name counts as beyond, except localhost: what
// it resolves to may change.
func CheckListen(flag, address string, insecure bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s %q: %w; give HOST:PORT", flag, address, err)
	}
	if insecure || host == "localhost" {
		return nil
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s %q is beyond the loopback, where anybody could change the fabric without proving who they are: "+
		"listen on 127.0.0.1, or say --insecure if the network itself is trusted", flag, address)
}
