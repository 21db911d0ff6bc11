package frr

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/pointsman/pointsman/pkg/frr"
)

// zebra 10.3 counts a port that advertises to the VRF in which it began to, and when that VRF goes, the port falls silent in whatever VRF
// it is by then (seen: a machine that missed the first advertisements waited for ever). Advertisements that are turned off and on again
// begin anew. zebra 8.4.4, which still has its own configuration, needs none of this.

// afterwards does what a delta leaves to be done where mgmtd has zebra's configuration: it remembers which ports left which VRFs, and
// wakes them when such a VRF is gone.
func (c *Client) afterwards(ctx context.Context, routes routes, changes []frr.Change, errs []error) {
	silent := map[string]bool{}
	for i, change := range changes {
		if errs[i] != nil {
			continue
		}
		if port, vrf, ok := leaves(change); ok {
			c.left[vrf] = append(c.left[vrf], port)
		}
		if vrf, ok := strings.CutPrefix(change.Line, "no vrf "); ok && len(change.Context) == 0 {
			for _, port := range c.left[vrf] {
				silent[port] = true
			}
			delete(c.left, vrf)
		}
	}
	if routes.interfaces != mgmtd || len(silent) == 0 {
		return
	}
	ports := slices.Sorted(maps.Keys(silent))
	for _, line := range []string{"ipv6 nd suppress-ra", "no ipv6 nd suppress-ra"} {
		var wake []frr.Change
		for _, port := range ports {
			wake = append(wake, frr.Change{Context: []string{"interface " + port}, Line: line})
		}
		woken := make([]error, len(wake))
		c.applyTo(ctx, c.daemons[mgmtd], wake, woken)
		for i, err := range woken {
			if err != nil {
				c.log.Warn("a port may send no router advertisements", "port", ports[i], "error", err)
			}
		}
	}
}

// leaves reads a change such as "router bgp 65000 vrf Vrf1 / no neighbor swp3 interface".
func leaves(change frr.Change) (port, vrf string, ok bool) {
	if len(change.Context) != 1 || !strings.HasPrefix(change.Context[0], "router bgp ") {
		return "", "", false
	}
	words := strings.Fields(change.Line)
	if len(words) != 4 || words[0] != "no" || words[1] != "neighbor" || words[3] != "interface" {
		return "", "", false
	}
	_, vrf, ok = strings.Cut(change.Context[0], " vrf ")
	return words[2], vrf, ok
}
