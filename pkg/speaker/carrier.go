package speaker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// present is an uplink as it is: the index of its interface while that is up with a link at its other end, otherwise 0. An
// interface that was made anew has another index.
type present int

// watchCarrier sends what an uplink is, and each change, until ctx ends. It sends the kernel's events as they come, not what is
// true by then: a carrier that was gone for a moment took the router's side of the session with it.
func watchCarrier(ctx context.Context, name string, out chan<- present) {
	for ctx.Err() == nil {
		if err := watchCarrierOnce(ctx, name, out); err != nil {
			pause(ctx, reopen) // netlink lost messages, or could not be opened
		}
	}
}

func watchCarrierOnce(ctx context.Context, name string, out chan<- present) error {
	updates := make(chan netlink.LinkUpdate, 64)
	done := make(chan struct{})
	if err := netlink.LinkSubscribe(updates, done); err != nil {
		return fmt.Errorf("watch links: %w", err)
	}
	defer func() {
		close(done)
		go func() { // its goroutine may be waiting to send, and closes the channel when it ends
			for range updates {
			}
		}()
	}()
	last := present(-1)
	for now := carrier(name); ; {
		if now != last {
			last = now
			select {
			case out <- now:
			case <-ctx.Done():
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case update, ok := <-updates:
			if !ok {
				return errors.New("netlink subscription ended")
			}
			if update.Attrs().Name == name {
				now = presence(update.Attrs())
				if update.Header.Type == unix.RTM_DELLINK {
					now = 0
				}
			}
		}
	}
}

// carrier reads what an uplink is now.
func carrier(name string) present {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return 0
	}
	return presence(link.Attrs())
}

func presence(link *netlink.LinkAttrs) present {
	const running = unix.IFF_UP | unix.IFF_RUNNING
	if link.RawFlags&running != running {
		return 0
	}
	return present(link.Index)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
