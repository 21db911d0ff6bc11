package lldp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/vishvananda/netlink"
)

// Port is a physical port as the kernel has it now. A port that was deleted and made again has another Index.
type Port struct {
	Name  string
	Index int
	MAC   string
	Up    bool // it has carrier and is administratively up
}

// relist is how often all ports are read anyhow: a lost event costs this much at most.
const relist = 30 * time.Second

// physical tells a port that a cable goes into from what the kernel makes up: bridges, VLANs, VRFs, tunnels. veth is the cable of
// labs and containers.
func physical(l netlink.Link) bool {
	a := l.Attrs()
	if a.Flags&net.FlagLoopback != 0 || len(a.HardwareAddr) != 6 || bytes.Equal(a.HardwareAddr, make([]byte, 6)) {
		return false
	}
	return l.Type() == "device" || l.Type() == "veth"
}

// follow calls seen with all ports for which want holds: at once, and again whenever a link changed. It returns when ctx ends.
func follow(ctx context.Context, log *slog.Logger, want func(string) bool, seen func(map[string]Port)) error {
	for ctx.Err() == nil {
		if err := followOnce(ctx, want, seen); ctx.Err() == nil {
			log.Warn("following ports anew, with a full list", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return nil
}

func followOnce(ctx context.Context, want func(string) bool, seen func(map[string]Port)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	updates := make(chan netlink.LinkUpdate, 64)
	err := netlink.LinkSubscribeWithOptions(updates, ctx.Done(), netlink.LinkSubscribeOptions{ErrorCallback: func(err error) { cancel(err) }})
	if err != nil {
		return fmt.Errorf("subscribe to links: %w", err)
	}
	ticker := time.NewTicker(relist)
	defer ticker.Stop()
	for {
		ports, err := list(want)
		if err != nil {
			return err
		}
		seen(ports)
		if err := await(ctx, updates, ticker.C); err != nil {
			return err
		}
	}
}

// burst is how long after an event others are waited for, so that one list answers all of them.
const burst = 20 * time.Millisecond

// await returns when a physical port changed, or at a tick. What the agent itself makes and deletes is no reason to list.
func await(ctx context.Context, updates <-chan netlink.LinkUpdate, tick <-chan time.Time) error {
	var settled <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick:
			return nil
		case <-settled:
			return nil
		case u, ok := <-updates:
			switch {
			case !ok:
				return errors.New("follow links: subscription ended")
			case settled == nil && physical(u.Link):
				settled = time.After(burst)
			}
		}
	}
}

func list(want func(string) bool) (map[string]Port, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	ports := map[string]Port{}
	for _, l := range links {
		a := l.Attrs()
		if physical(l) && want(a.Name) {
			ports[a.Name] = Port{Name: a.Name, Index: a.Index, MAC: a.HardwareAddr.String(), Up: a.OperState == netlink.OperUp}
		}
	}
	return ports, nil
}
