// Package guest tests the lab's kernel from inside.
package guest

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/test/lab/guesttest"
)

func TestMain(m *testing.M) { guesttest.Main(m) }

// granule is what the kernel's own clocks are coarse by: user-mode Linux counts in steps of 256 ns.
const granule = 256 * time.Nanosecond

// What the vDSO says of the time lies between two answers of the kernel's own, for either clock: who waits by one and reads the other is
// never early.
func TestClocksAgree(t *testing.T) {
	before := kernelTime(t, unix.CLOCK_MONOTONIC)
	base := time.Now()
	after := kernelTime(t, unix.CLOCK_MONOTONIC)
	last := base
	for range 2000 {
		m0, r0 := kernelTime(t, unix.CLOCK_MONOTONIC), kernelTime(t, unix.CLOCK_REALTIME)
		now := time.Now()
		r1, m1 := kernelTime(t, unix.CLOCK_REALTIME), kernelTime(t, unix.CLOCK_MONOTONIC)
		if real := time.Duration(now.UnixNano()); real < r0 || real > r1+granule {
			t.Fatalf("CLOCK_REALTIME is %v, between %v and %v by the kernel", real, r0, r1)
		}
		if mono := now.Sub(base); mono < m0-after-granule || mono > m1-before+granule {
			t.Fatalf("CLOCK_MONOTONIC went on by %v, by %v to %v by the kernel", mono, m0-after, m1-before)
		}
		if now.Before(last) {
			t.Fatalf("the clock went back by %v", last.Sub(now))
		}
		last = now
	}
}

// kernelTime asks the kernel by a system call, without the vDSO.
func kernelTime(t *testing.T, clock int32) time.Duration {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}
