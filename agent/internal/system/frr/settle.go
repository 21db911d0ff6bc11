package frr

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/pointsman/pointsman/pkg/frr"
)

const (
	// settleInterval is how often zebra is asked, and settled how many equal answers in turn are taken for the end.
	settleInterval = 50 * time.Millisecond
	settled        = 4
)

// awaitSettled waits before changes that delete a VRF.
func (c *Client) awaitSettled(ctx context.Context, changes []frr.Change) {
	if slices.ContainsFunc(changes, func(change frr.Change) bool {
		return len(change.Context) == 0 && strings.HasPrefix(change.Line, "no vrf ")
	}) {
		c.Settle(ctx)
	}
}

// Settle waits until zebra has done with the routes that it is about. It is called before the device of a VRF is deleted too: zebra 10.3
// ends with a segmentation fault when the kernel answers for a route whose VRF is gone meanwhile; what it begins itself when the VRF goes cannot be
// waited for. Until FRR 9, and while zebra is away, there is nothing to wait for.
func (c *Client) Settle(ctx context.Context) {
	if c.routesNow(ctx).vrfs != mgmtd {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, defaultDeviceWait)
	defer cancel()
	last, equal := "", 0
	for equal < settled {
		counters, err := c.show(ctx, zebra, "show zebra dplane")
		if err == nil {
			var queues string
			if queues, err = c.show(ctx, zebra, "show zebra dplane providers"); err == nil {
				counters += queues
			}
		}
		if err != nil {
			c.log.Warn("zebra may still be about the routes of a VRF that is deleted", "error", err)
			return
		}
		equal++
		if counters != last || !idle(counters) {
			last, equal = counters, 0
		}
		select {
		case <-ctx.Done():
			c.log.Warn("zebra is still about the routes of a VRF that is deleted", "waited", defaultDeviceWait)
			return
		case <-time.After(settleInterval):
		}
	}
}

// idle reads the lines that name a queue towards zebra or the kernel, such as "dataplane Outgoing Queue to Zebra: 0".
func idle(text string) bool {
	for line := range strings.Lines(text) {
		if name, depth, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && strings.HasPrefix(name, "dataplane ") && strings.TrimSpace(depth) != "0" {
			return false
		}
	}
	return true
}
