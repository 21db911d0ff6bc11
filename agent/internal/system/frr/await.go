package frr

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pointsman/pointsman/pkg/frr"
)

const (
	// defaultDeviceWait is how long zebra may take to hear of new devices. After it the VNI is configured all the same: it comes up later.
	defaultDeviceWait = 5 * time.Second
	knownInterval     = 10 * time.Millisecond
)

// awaitDevices waits until zebra knows the devices of each VNI that changes add. Told of a VNI first, zebra takes it down and up
// again with every netlink message that it still has to read; bgpd withdraws and installs the VRF's routes within one run of its
// queue, sends nothing, and the router MACs that zebra dropped in between are missing for good (seen with 8.4.4 on a busy machine:
// routes in the kernel, their next hops without a neighbour entry).
func (c *Client) awaitDevices(ctx context.Context, changes []frr.Change) {
	if c.deviceWait < 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.deviceWait)
	defer cancel()
	for _, change := range changes {
		vrf, vni, ok := addsVNI(change)
		if !ok {
			continue
		}
		start := time.Now()
		for !c.knowsVNI(ctx, vrf, vni) {
			select {
			case <-ctx.Done():
				c.log.Warn("zebra does not know the devices of a VNI yet", "vrf", vrf, "vni", vni, "waited", time.Since(start))
				return
			case <-time.After(knownInterval):
			}
		}
	}
}

var accessVLAN = regexp.MustCompile(`VxLAN Id (\d+) .*Access VLAN Id (\d+)`)

// knowsVNI says whether zebra has the VXLAN device in its bridge with its VLAN, and the VLAN's SVI up in the VRF.
func (c *Client) knowsVNI(ctx context.Context, vrf string, vni int) bool {
	device, err := c.show(ctx, zebra, "show interface "+c.named(fmt.Sprintf("vni%d", vni)))
	if err != nil || !isUp(device) || !strings.Contains(device, "Master interface: ") {
		return false
	}
	m := accessVLAN.FindStringSubmatch(device)
	if m == nil || m[1] != strconv.Itoa(vni) {
		return false
	}
	svi, err := c.show(ctx, zebra, fmt.Sprintf("show interface Vlan%s vrf %s", m[2], vrf))
	return err == nil && isUp(svi)
}

func isUp(text string) bool { return strings.Contains(text, "is up, line protocol is up") }
