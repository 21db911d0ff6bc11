package frr

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// AwaitVRF waits until zebra has heard of a VRF's device, by its index. It is called before the first route enters the VRF's table: zebra 10.3
// hears of devices through its dataplane and of routes by itself, and a route that overtakes its VRF makes the default VRF an owner of the
// table too. With the VRF the table is freed, the default VRF keeps its pointer, and the next route of that table ends zebra (FRR issue
// 18386). A zebra that is away reads devices first when it comes.
func (c *Client) AwaitVRF(ctx context.Context, name string, index int) {
	if c.deviceWait < 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.deviceWait)
	defer cancel()
	for start := time.Now(); ; {
		text, err := c.show(ctx, zebra, "show vrf")
		if err != nil && ctx.Err() == nil || err == nil && hasVRF(text, name, index) {
			return
		}
		select {
		case <-ctx.Done():
			c.log.Warn("zebra does not know the device of a VRF yet", "vrf", name, "waited", time.Since(start))
			return
		case <-time.After(knownInterval):
		}
	}
}

// hasVRF reads lines such as "vrf Vrf104001 id 12 table 1001 (configured)" and "vrf Vrf104002 inactive (configured)".
func hasVRF(text, name string, index int) bool {
	return strings.Contains("\n"+text, fmt.Sprintf("\nvrf %s id %d ", name, index))
}
