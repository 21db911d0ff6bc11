package frr

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pointsman/pointsman/pkg/frr"
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

// activeVRFs are the VRFs whose devices zebra has, by name.
func activeVRFs(text string) map[string]bool {
	out := map[string]bool{}
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 2 && words[0] == "vrf" && words[2] == "id" {
			out[words[1]] = true
		}
	}
	return out
}

// refuseActive refuses in the place of zebra to delete VRFs whose devices it still has, and returns the changes that are left to send, with
// their places. mgmtd 10.3 asks several daemons about a change, and aborts if one of them refuses before another has answered (FRR issue
// 19359). Of what we send, zebra alone refuses only this, and a VNI that another VRF has, which we do not ask for.
func (c *Client) refuseActive(ctx context.Context, changes []frr.Change, errs []error) (left []frr.Change, places []int) {
	var active map[string]bool
	for i, change := range changes {
		if name, ok := deletedVRF(change); ok {
			if active == nil {
				text, err := c.show(ctx, zebra, "show vrf")
				if err != nil {
					errs[i] = fmt.Errorf("ask zebra whether the device of VRF %q is gone: %w", name, err)
					continue
				}
				active = activeVRFs(text)
			}
			if active[name] {
				errs[i] = &RefusedError{Line: change.Line, Answer: "zebra has not heard that the device is gone", Status: statusWarning}
				continue
			}
		}
		left, places = append(left, change), append(places, i)
	}
	return left, places
}

// deletedVRF reads a change such as "no vrf Vrf104001".
func deletedVRF(change frr.Change) (name string, ok bool) {
	name, ok = strings.CutPrefix(change.Line, "no vrf ")
	return name, ok && len(change.Context) == 0
}
