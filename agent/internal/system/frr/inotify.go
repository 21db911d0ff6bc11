package frr

import (
	"os"

	"golang.org/x/sys/unix"
)

// openInotify opens a stream of what happens in a directory. Reads wait in the runtime's poller, so closing it ends them.
func openInotify(dir string, mask uint32) (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, err
	}
	if _, err := unix.InotifyAddWatch(fd, dir, mask); err != nil {
		_ = unix.Close(fd)
		return nil, &os.PathError{Op: "watch", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), "inotify"), nil
}
