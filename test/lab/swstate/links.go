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
	names := portNames{}
	updates, broken, err := subscribeLinks(ctx)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-broken: //nolint:errcheck // whatever broke it, it begins anew
				if updates, broken, err = subscribeLinks(ctx); err != nil {
					close(events)
					return
				}
			case u, ok := <-updates:
				if !ok {
					updates = nil
					continue
				}
				for _, e := range names.read(u) {
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

// portNames are the front-panel ports' names by their index: one that is renamed is gone under its old name.
type portNames map[int32]string

// read tells what an event says of front-panel ports. A port that leaves the bridge is no link that goes, though it says the same in another family.
func (n portNames) read(u netlink.LinkUpdate) (events []linkEvent) {
	if u.IfInfomsg.Family == unix.AF_BRIDGE {
		return nil
	}
	a, gone := u.Attrs(), u.Header.Type == unix.RTM_DELLINK
	if was, known := n[u.Index]; known && (gone || was != a.Name) {
		delete(n, u.Index)
		events = append(events, linkEvent{name: was, gone: true})
	}
	if !gone && isPort(a.Name) {
		n[u.Index] = a.Name
		events = append(events, linkEvent{
			name: a.Name, link: core.Link{Up: a.RawFlags&unix.IFF_UP != 0, OperUp: a.RawFlags&unix.IFF_RUNNING != 0, MTU: a.MTU},
		})
	}
	return events
}
