package linux

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// Watch implements system.System. What happens while kick runs is one more kick, with the last reason. FRR's own drift is not seen
// here.
func (s *System) Watch(ctx context.Context, kick func(why string)) error {
	events, err := newMonitor(unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE,
		unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE, unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF)
	if err != nil {
		return err
	}
	pending := make(chan string, 1)
	go func() {
		for why := range pending {
			kick(why)
		}
	}()
	defer close(pending)
	tell := func(why string) {
		select {
		case <-pending: // the last reason is the one worth telling
		default:
		}
		pending <- why
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rules, err := s.protection.Listen(ctx, func() { tell("nftables") })
	if err != nil {
		return err
	}
	deaf := make(chan error, 1)
	go func() {
		deaf <- <-rules
		cancel() // without one of the two, both are begun again
	}()
	err = events.read(ctx, func(m syscall.NetlinkMessage) {
		if why := s.matters(m); why != "" {
			tell(why)
		}
	}, func() { tell("netlink events were lost") })
	cancel()
	return errors.Join(err, <-deaf)
}

// matters tells what an event means to what Observe reads, or "" if nothing.
func (s *System) matters(m syscall.NetlinkMessage) string {
	switch m.Header.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		l, err := parseLink(m.Data)
		if err != nil || !s.watches(s.planned(l)) {
			return ""
		}
		return "link " + l.name
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		if len(m.Data) > 3 && m.Data[3] == unix.RT_SCOPE_UNIVERSE { // struct ifaddrmsg: family, prefix length, flags, scope
			return "address"
		}
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if r, err := parseRoute(m.Data); err == nil && r.isUnreachableDefault() {
			return fmt.Sprintf("unreachable default of table %d", r.table)
		}
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		return "rule"
	case unix.RTM_NEWNETCONF:
		return "sysctl"
	}
	return ""
}

func (s *System) watches(l link) bool {
	_, svi := sviOf(l)
	_, vni := vniOf(l)
	return svi || vni || vrfOf(l) || l.name == plan.BridgeName || l.name == plan.LoopbackName || s.isPort(l, "") ||
		l.kind == "" && l.ether // a bridge's message about its port names no kind
}

// WatchRoutes implements system.Routes.
func (s *System) WatchRoutes(ctx context.Context, changed func(table uint32, prefix netip.Prefix)) error {
	events, err := newMonitor(unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
	if err != nil {
		return err
	}
	return events.read(ctx, func(m syscall.NetlinkMessage) {
		if m.Header.Type != unix.RTM_NEWROUTE && m.Header.Type != unix.RTM_DELROUTE {
			return
		}
		if r, err := parseRoute(m.Data); err == nil {
			changed(r.table, r.prefix)
		}
	}, func() { changed(0, netip.Prefix{}) })
}

// monitor is a netlink socket that hears multicast groups.
type monitor struct{ file *os.File }

// monitorBuffer holds the events of a table of 100,000 routes that comes at once.
const monitorBuffer = 16 << 20

func newMonitor(groups ...uint) (*monitor, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink monitor: %w", err)
	}
	file := os.NewFile(uintptr(fd), "netlink monitor") // in the runtime's poller, so that closing it wakes the reader
	if err := listen(fd, groups); err != nil {
		return nil, errors.Join(fmt.Errorf("open netlink monitor: %w", err), file.Close())
	}
	return &monitor{file}, nil
}

func listen(fd int, groups []uint) error {
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	for _, g := range groups {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, int(g)); err != nil {
			return err
		}
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, monitorBuffer) != nil {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, monitorBuffer) // as much as the limit allows
	}
	return nil
}

// read hands each event to heard until ctx ends. lost is called when the kernel had to drop some.
func (m *monitor) read(ctx context.Context, heard func(syscall.NetlinkMessage), lost func()) error {
	stop := context.AfterFunc(ctx, func() { m.file.Close() })
	defer func() {
		if stop() {
			m.file.Close()
		}
	}()
	buffer := make([]byte, 1<<16)
	for {
		n, err := m.file.Read(buffer)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS):
			lost()
			continue
		case err != nil:
			return fmt.Errorf("read netlink events: %w", err)
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return fmt.Errorf("read netlink events: %w", err)
		}
		for _, message := range messages {
			heard(message)
		}
	}
}
