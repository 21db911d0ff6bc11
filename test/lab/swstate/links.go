package swstate

import (
	"context"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/test/lab/swstate/core"
)

// linkEvent is a front-panel port's device as it is now, or that it is gone.
type linkEvent struct {
	name string
	gone bool
	link core.Link
}

// watchLinks tells of all front-panel ports, and then of each change, until ctx ends. If the kernel's events fail it begins anew.
func watchLinks(ctx context.Context) (<-chan linkEvent, error) {
	events := make(chan linkEvent)
	updates, broken, err := subscribeLinks(ctx)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-broken:
				if updates, broken, err = subscribeLinks(ctx); err != nil {
					close(events)
					return
				}
			case u, ok := <-updates:
				if !ok {
					updates = nil
					continue
				}
				if e, ours := linkOf(u); ours {
					select {
					case events <- e:
					case <-ctx.Done():
						return
					}
				}
			}
		}
	}()
	return events, nil
}

func subscribeLinks(ctx context.Context) (<-chan netlink.LinkUpdate, <-chan error, error) {
	updates, broken := make(chan netlink.LinkUpdate, 64), make(chan error, 1)
	err := netlink.LinkSubscribeWithOptions(updates, ctx.Done(), netlink.LinkSubscribeOptions{
		ListExisting: true, ReceiveBufferSize: 1 << 20,
		ErrorCallback: func(err error) {
			select {
			case broken <- err:
			default:
			}
		},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("subscribe to links: %w", err)
	}
	return updates, broken, nil
}

// linkOf reads an event. A port that leaves the bridge is no link that goes, though it says the same in another family.
func linkOf(u netlink.LinkUpdate) (linkEvent, bool) {
	a := u.Attrs()
	if !isPort(a.Name) || u.IfInfomsg.Family == unix.AF_BRIDGE {
		return linkEvent{}, false
	}
	return linkEvent{
		name: a.Name, gone: u.Header.Type == unix.RTM_DELLINK,
		link: core.Link{Up: a.RawFlags&unix.IFF_UP != 0, OperUp: a.RawFlags&unix.IFF_RUNNING != 0, MTU: a.MTU},
	}, true
}
