package frr

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Watch calls kick, with the reason, each time a daemon's socket came back: a daemon that restarted has lost what it was told.
// It returns when ctx ends. A socket directory that is not there yet is waited for.
func (c *Client) Watch(ctx context.Context, kick func(why string)) error {
	for ctx.Err() == nil {
		err := c.watchDir(ctx, kick)
		if err != nil && ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("watch %s: %w", c.dir, err)
		}
		// The directory went, or is not there yet.
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return nil
}

// watchDir follows the directory of sockets until it goes away.
func (c *Client) watchDir(ctx context.Context, kick func(why string)) error {
	events, err := openInotify(c.dir, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_DELETE_SELF|unix.IN_ONLYDIR)
	if err != nil {
		return err
	}
	defer events.Close()
	defer context.AfterFunc(ctx, func() { events.Close() })()
	buffer := make([]byte, 16<<10)
	for {
		n, err := events.Read(buffer)
		if err != nil {
			return err
		}
		for _, e := range parseInotify(buffer[:n]) {
			if e.mask&(unix.IN_DELETE_SELF|unix.IN_IGNORED) != 0 {
				return nil
			}
			name, isSocket := strings.CutSuffix(e.name, ".vty")
			if _, known := c.daemons[name]; isSocket && known && c.listens(ctx, name) {
				kick(name + " restarted")
			}
		}
	}
}

// listenPatience is how long a daemon may take from making its socket to listening on it.
const listenPatience = 5 * time.Second

// listens waits until a daemon takes connections on the socket that it just made.
func (c *Client) listens(ctx context.Context, daemon string) bool {
	ctx, cancel := context.WithTimeout(ctx, listenPatience)
	defer cancel()
	var dialer net.Dialer
	for {
		socket, err := dialer.DialContext(ctx, "unix", c.daemons[daemon].socket)
		if err == nil {
			socket.Close()
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(lockPoll):
		}
	}
}

// inotifyEvent is what happened to a name in a directory (inotify(7)).
type inotifyEvent struct {
	mask uint32
	name string
}

// parseInotify reads the events of one read.
func parseInotify(b []byte) []inotifyEvent {
	var out []inotifyEvent
	for len(b) >= unix.SizeofInotifyEvent {
		head := (*unix.InotifyEvent)(unsafe.Pointer(&b[0]))
		end := unix.SizeofInotifyEvent + int(head.Len)
		if end > len(b) {
			break
		}
		out = append(out, inotifyEvent{head.Mask, strings.TrimRight(string(b[unix.SizeofInotifyEvent:end]), "\x00")})
		b = b[end:]
	}
	return out
}
