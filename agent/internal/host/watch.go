package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// watchFile tells of every change in a file's directory until ctx ends. The file may not exist, nor the directory yet.
func watchFile(ctx context.Context, path string, changed chan<- struct{}) {
	for ctx.Err() == nil {
		if err := watchDirectory(ctx, filepath.Dir(path), changed); err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(slowPass):
			}
		}
	}
}

func watchDirectory(ctx context.Context, dir string, changed chan<- struct{}) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	const mask = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF
	if _, err := unix.InotifyAddWatch(fd, dir, mask); err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	wake(changed) // it may have changed before it was watched
	stop := context.AfterFunc(ctx, func() { _ = events.SetReadDeadline(time.Now()) })
	defer stop()
	buf := make([]byte, 4096)
	for {
		n, err := events.Read(buf)
		if err != nil {
			return err
		}
		wake(changed)
		if ignored(buf[:n]) {
			return fmt.Errorf("watch %s: the directory is gone", dir)
		}
	}
}

// ignored says whether the kernel ended the watch: the directory was removed (inotify(7), IN_IGNORED).
func ignored(events []byte) bool {
	for len(events) >= unix.SizeofInotifyEvent {
		event := (*unix.InotifyEvent)(unsafe.Pointer(&events[0]))
		if event.Mask&unix.IN_IGNORED != 0 {
			return true
		}
		events = events[min(len(events), unix.SizeofInotifyEvent+int(event.Len)):]
	}
	return false
}

func wake(changed chan<- struct{}) {
	select {
	case changed <- struct{}{}:
	default:
	}
}
