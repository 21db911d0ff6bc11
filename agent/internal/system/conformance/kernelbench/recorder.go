package kernelbench

import (
	"errors"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Recorder hears groups of route netlink, on a socket of its own.
type Recorder struct {
	mu       sync.Mutex
	messages []syscall.NetlinkMessage
}

// recorderBuffer holds what comes while the machine has more to do.
const recorderBuffer = 16 << 20

// Record begins in the calling thread's namespace.
func Record(t *testing.T, groups ...uint) *Recorder {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "recorder")
	t.Cleanup(func() { file.Close() })
	err = errors.Join(unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}), unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, recorderBuffer))
	for _, g := range groups {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, int(g)))
	}
	if err != nil {
		t.Fatal(err)
	}
	r := &Recorder{}
	go r.listen(t, file)
	return r
}

func (r *Recorder) listen(t *testing.T, file *os.File) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := file.Read(buffer)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil {
			t.Errorf("the recorder lost events: %v", err)
			return
		}
		messages, err := syscall.ParseNetlinkMessage(slices.Clone(buffer[:n]))
		if err != nil {
			t.Error(err)
			return
		}
		r.mu.Lock()
		r.messages = append(r.messages, messages...)
		r.mu.Unlock()
	}
}

// Take returns what was heard since, once it has been quiet for a while.
func (r *Recorder) Take() []syscall.NetlinkMessage {
	for last := -1; ; {
		time.Sleep(300 * time.Millisecond)
		r.mu.Lock()
		n := len(r.messages)
		if n == last {
			out := r.messages
			r.messages = nil
			r.mu.Unlock()
			return out
		}
		last = n
		r.mu.Unlock()
	}
}
