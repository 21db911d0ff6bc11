package linux

import (
	"context"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/system"
)

// retryRoutes has zebra install the routes that the kernel has refused for want of a group, and says whether there may be more.
func (k *groupKeeper) retryRoutes(ctx context.Context) (more bool) {
	failed, err := k.routing.FailedRoutes(ctx)
	if err != nil {
		k.log.Debug("ask for routes that failed", "err", err)
		return true
	}
	failed = slices.DeleteFunc(failed, func(r system.FailedRoute) bool { return !k.made[r.Group] || rtprotOfZebra[r.Protocol] == 0 })
	for _, r := range failed {
		if err := k.retryRoute(r); err != nil {
			k.log.Warn("have zebra install a route that the kernel has refused", "prefix", r.Prefix, "table", r.Table, "err", err)
		}
	}
	if len(failed) > 0 {
		k.log.Info("zebra was made to install routes that the kernel had refused", "routes", len(failed))
	}
	return len(failed) > 0
}

const (
	// zebraMetric is that of zebra's routes in the kernel.
	zebraMetric = 20
	// rtaNexthopID is RTA_NH_ID (linux/rtnetlink.h).
	rtaNexthopID = 30
)

// rtprotOfZebra are the marks of zebra's routes in the kernel, by FRR's words for where they are from (linux/rtnetlink.h); no others have groups
// here.
var rtprotOfZebra = map[string]uint8{"bgp": unix.RTPROT_BGP, "static": 196}

// retryRoute makes a route of zebra's as it should be, in the place of what is left of an older one, and deletes it.
func (s *System) retryRoute(r system.FailedRoute) error {
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{
		Family: uint8(family(r.Prefix.Addr())), Dst_len: uint8(r.Prefix.Bits()), Type: unix.RTN_UNICAST, Protocol: rtprotOfZebra[r.Protocol], Scope: unix.RT_SCOPE_UNIVERSE,
	}}
	parts := []nl.NetlinkRequestData{
		msg, nl.NewRtAttr(unix.RTA_DST, r.Prefix.Addr().AsSlice()), nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(r.Table)), nl.NewRtAttr(unix.RTA_PRIORITY, nl.Uint32Attr(zebraMetric)),
	}
	if err := s.route.request(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, append(parts, nl.NewRtAttr(rtaNexthopID, nl.Uint32Attr(r.Group)))...); err != nil {
		return fmt.Errorf("write route: %w", err)
	}
	if err := s.route.request(unix.RTM_DELROUTE, 0, parts...); err != nil {
		return fmt.Errorf("delete route: %w", err)
	}
	return nil
}
