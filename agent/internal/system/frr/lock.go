package frr

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockPoll is how often a lock that another process holds is tried again.
const lockPoll = 10 * time.Millisecond

// lock takes the lock between programs of ours that write to this FRR. It waits as long as ctx.
func (c *Client) lock(ctx context.Context) (unlock func(), err error) {
	path := filepath.Join(c.dir, "pointsman.lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock FRR: %w", err)
	}
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil // closing unlocks
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("lock FRR: another program holds %s: %w", path, context.Cause(ctx))
		case <-time.After(lockPoll):
		}
	}
}
