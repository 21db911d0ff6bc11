package linux

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// protocol marks our routes and rules: a number that rt_protos leaves free.
const protocol = 201

var familyNumbers = map[plan.Family]int{plan.IPv4: unix.AF_INET, plan.IPv6: unix.AF_INET6}

// unreachable is an unreachable default route.
type unreachable struct {
	route plan.DefaultRoute
	ours  bool
}

// unreachables lists unreachable defaults of the metric that ends a VRF's table, in any table. The kernel sends only routes of
// that type, so it costs little beside a full table.
func (s *socket) unreachables() ([]unreachable, error) {
	var out []unreachable
	for _, family := range []plan.Family{plan.IPv4, plan.IPv6} {
		msg := &nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(familyNumbers[family]), Type: unix.RTN_UNREACHABLE}}
		messages, err := s.dump(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, msg)
		if err != nil {
			return nil, fmt.Errorf("list unreachable %s routes: %w", family, err)
		}
		for _, m := range messages {
			r, err := parseRoute(m)
			if err != nil {
				return nil, fmt.Errorf("list unreachable %s routes: %w", family, err)
			}
			if r.isUnreachableDefault() {
				out = append(out, unreachable{plan.DefaultRoute{Table: r.table, Family: family}, r.protocol == protocol})
			}
		}
	}
	return out, nil
}

// setUnreachable adds the unreachable default of a table, in the place of one that somebody else made, or deletes it.
func (s *socket) setUnreachable(route plan.DefaultRoute, present bool) error {
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{
		Family: uint8(familyNumbers[route.Family]), Type: unix.RTN_UNREACHABLE, Protocol: protocol, Scope: unix.RT_SCOPE_UNIVERSE,
	}}
	parts := []nl.NetlinkRequestData{
		msg, nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(route.Table)), nl.NewRtAttr(unix.RTA_PRIORITY, nl.Uint32Attr(plan.UnreachableMetric)),
	}
	if present {
		return s.request(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, parts...)
	}
	if err := s.request(unix.RTM_DELROUTE, 0, parts...); !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}
