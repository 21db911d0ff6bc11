// Package hazard moves the ports of a SONiC switch at random between a VLAN and VRFs, many at once, and tells what became of switch and ports.
// Who moves them is the caller's: an agent that is to survive it, or one that is not to.
package hazard

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pointsman/pointsman/test/lab/swstate"
	"github.com/pointsman/pointsman/test/sonicguest"
)

// Moves says how many there are to be, and of what.
type Moves struct {
	Switch   *sonicguest.Switch
	Ports    int
	Places   []string // that a port can be in: sonicguest.Bridge and VRFs
	Moves    int
	InFlight int // at the same time
	Seed     uint64
}

// Outcome is what became of them.
type Outcome struct {
	Done     int
	Died     *swstate.DiedError // the daemon that died, nil if none did
	Failed   []error            // of the mover
	Stranded []string           // ports that are not where they were moved to
}

// Mover moves a port, and returns when it takes it to be there. from is empty for a port that has been nowhere yet.
type Mover func(ctx context.Context, port, from, to string) error

// Count and Seed are taken from $POINTSMAN_HAZARD_MOVES and $POINTSMAN_HAZARD_SEED; `make hazard` sets the first. Without them there are 60 moves,
// and the seed is drawn.
func Count(t testing.TB) int { return int(fromEnvironment(t, "POINTSMAN_HAZARD_MOVES", 60)) }

// Seed is Count's.
func Seed(t testing.TB) uint64 {
	seed := fromEnvironment(t, "POINTSMAN_HAZARD_SEED", rand.Uint64N(1<<32))
	t.Logf("seed %d (POINTSMAN_HAZARD_SEED=%d repeats its choices)", seed, seed)
	return seed
}

func fromEnvironment(t testing.TB, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// Run makes the moves. It ends early when a daemon has died.
func (m Moves) Run(t testing.TB, move Mover) Outcome {
	t.Helper()
	start := time.Now()
	r := &round{Moves: m, move: move, random: rand.New(rand.NewPCG(m.Seed, 0)), at: map[string]string{}, left: m.Moves}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dead := make(chan struct{})
	go func() {
		defer close(dead)
		select {
		case <-m.Switch.Dead():
			cancel()
		case <-ctx.Done():
		}
	}()
	var workers sync.WaitGroup
	for range m.InFlight {
		workers.Go(func() { r.work(ctx) })
	}
	workers.Wait()
	cancel()
	<-dead
	out := Outcome{Done: r.done, Failed: r.failed, Died: m.Switch.Died(t)}
	if out.Died == nil {
		for port, place := range r.at {
			if got := m.Switch.Place(t, port); got != (sonicguest.Place{Kernel: place, ASIC: place}) {
				out.Stranded = append(out.Stranded, fmt.Sprintf("%s was moved to %s; the kernel has it in %q, the ASIC in %q", port, place, got.Kernel, got.ASIC))
			}
		}
	}
	t.Logf("%d moves in %v", out.Done, time.Since(start).Round(time.Second/10))
	return out
}

// Clean reports whether nothing went wrong.
func (o Outcome) Clean() bool { return o.Died == nil && len(o.Failed) == 0 && len(o.Stranded) == 0 }

func (o Outcome) String() string {
	text := fmt.Sprintf("%d moves", o.Done)
	if o.Died != nil {
		text += "\n" + o.Died.Error()
	}
	for _, err := range o.Failed {
		text += "\n" + err.Error()
	}
	for _, s := range o.Stranded {
		text += "\n" + s
	}
	return text
}

// round is one Run.
type round struct {
	Moves
	move Mover

	mu     sync.Mutex
	random *rand.Rand
	at     map[string]string // where each port was moved to; those on their way are not in it
	flying map[string]bool
	left   int
	done   int
	failed []error
}

func (r *round) work(ctx context.Context) {
	for ctx.Err() == nil {
		port, from, to, ok := r.next()
		if !ok {
			return
		}
		err := r.move(ctx, port, from, to)
		r.landed(port, to, err, ctx.Err() != nil)
	}
}

// next chooses a port that rests, and another place for it.
func (r *round) next() (port, from, to string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == 0 {
		return "", "", "", false
	}
	r.left--
	if r.flying == nil {
		r.flying = map[string]bool{}
	}
	for port = sonicguest.PortName(r.random.IntN(r.Ports)); r.flying[port]; {
		port = sonicguest.PortName(r.random.IntN(r.Ports))
	}
	from = r.at[port]
	for to = from; to == from; {
		to = r.Places[r.random.IntN(len(r.Places))]
	}
	r.flying[port] = true
	delete(r.at, port)
	return port, from, to, true
}

func (r *round) landed(port, to string, err error, interrupted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case interrupted: // what it says of that is no news
	case err != nil:
		r.failed = append(r.failed, fmt.Errorf("move %s to %s: %w", port, to, err))
	default:
		r.done++
	}
	r.at[port] = to
	delete(r.flying, port)
}
