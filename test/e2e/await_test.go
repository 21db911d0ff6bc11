package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/pointsman/pointsman/test/fabric"
)

const settleLimit = 90 * time.Second

// sweepLimit is longer than the three minutes for which zebra keeps what another one, that was killed, left in the kernel: a next hop that it
// could not read, and the route over it beside its own.
const sweepLimit = 4 * time.Minute

// await repeats try until it succeeds.
func await(ctx context.Context, t *testing.T, what string, try func(ctx context.Context) error) {
	t.Helper()
	awaitEvery(ctx, t, 200*time.Millisecond, what, try)
}

func awaitEvery(ctx context.Context, t *testing.T, interval time.Duration, what string, try func(ctx context.Context) error) {
	t.Helper()
	awaitWithin(ctx, t, settleLimit, interval, what, try)
}

func awaitWithin(ctx context.Context, t *testing.T, limit, interval time.Duration, what string, try func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := fabric.Eventually(ctx, interval, func() error { return try(ctx) }); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func awaitPing(ctx context.Context, t *testing.T, f *fabric.Fabric, node string, p fabric.Ping) {
	t.Helper()
	await(ctx, t, fmt.Sprintf("%s reaches %s", node, p.To), func(ctx context.Context) error {
		r, err := f.Ping(ctx, node, p)
		if err == nil && (r.Sent == 0 || r.Received < r.Sent) {
			err = fmt.Errorf("%d of %d packets came back", r.Received, r.Sent)
		}
		return err
	})
}

func awaitHops(ctx context.Context, t *testing.T, f *fabric.Fabric, node string, want int, family string, args ...string) {
	t.Helper()
	awaitWithin(ctx, t, sweepLimit, 200*time.Millisecond, fmt.Sprintf("%s: ip %s route show %v", node, family, args), func(ctx context.Context) error {
		routes, err := f.Routes(ctx, node, family, args...)
		if err == nil && (len(routes) != 1 || len(routes[0].NextHops) != want) {
			err = fmt.Errorf("want one route with %d next hops, have %+v", want, routes)
		}
		return err
	})
}
