package metrics

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// boundTo makes a listener answer on one device only, such as the VRF of management: in a VRF, its address alone is not enough to be
// found there, and without it the tables of other VRFs are not asked.
func boundTo(device string) func(network, address string, c syscall.RawConn) error {
	if device == "" {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) error {
		var failed error
		if err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, device)
		}); err != nil {
			return err
		}
		if failed != nil {
			return fmt.Errorf("bind to device %q: %w", device, failed)
		}
		return nil
	}
}
