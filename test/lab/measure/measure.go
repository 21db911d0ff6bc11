// Package measure owns the outage probe: two programs, one on each machine, that send each other numbered UDP packets at a steady rate
// and note what comes. It counts; what a loss means is for its callers to say: `lab measure` runs it on machines, the end-to-end
// scripts read its reports.
package measure

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// Interval is that of the packets of one path: 100 a second.
	Interval = 10 * time.Millisecond
	// Flows is among how many UDP ports a path's packets take turns, so that they spread over equal ways; each flow has one each 40 ms.
	Flows = 4
	// FirstPort is that of the first flow, at both ends.
	FirstPort = 9700
	// linger is how long packets on their way are waited for after the last was sent.
	linger = time.Second
	// hello is sent, uncounted, until something has come from the other end: what is counted goes to an end that listens.
	hello = math.MaxUint64
)

// Path is one pair of addresses to measure, seen from one end.
type Path struct{ Local, Remote netip.Addr }

// Report is what one end saw of a path.
type Report struct {
	Local, Remote netip.Addr
	Sent          int // by this end
	Received      int // from the other end, each number once
	// Gap is the longest time in which no packet of one flow came, from its first packet on.
	Gap time.Duration
	// Outage is the longest time in which a flow lost packets: what came late because the guest stood still is none, nor is a
	// burst of what a sender that stood still had to make up for.
	Outage time.Duration
	// OutageFrom is when the packet before it came.
	OutageFrom time.Time
}

// Run measures until ctx ends and returns a report for each path.
func Run(ctx context.Context, paths []Path) ([]Report, error) {
	var ends []*end
	defer func() {
		for _, e := range ends {
			e.close()
		}
	}()
	for _, p := range paths {
		e, err := listen(p)
		if err != nil {
			return nil, err
		}
		ends = append(ends, e)
	}
	for _, e := range ends {
		for i := range e.flows {
			go e.receive(i)
		}
	}
	send(ctx, ends)
	time.Sleep(linger)
	var reports []Report
	for _, e := range ends {
		reports = append(reports, e.report())
	}
	return reports, nil
}

// catchUp is how many late ticks are made up for at once, so that the rate holds on a busy guest. A guest that stood still for seconds
// would lose a burst of all that it missed in its own buffers; what was missed beyond this is not sent at all.
const catchUp = 10

// send sends each path's packets until ctx ends.
func send(ctx context.Context, ends []*end) {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	start := time.Now()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			due := int(now.Sub(start) / Interval)
			for n = max(n, due-catchUp); n < due; n++ {
				for _, e := range ends {
					e.send(n)
				}
			}
		}
	}
}

// end is one end of a path.
type end struct {
	path  Path
	flows []*net.UDPConn

	mu       sync.Mutex
	heard    bool // something has come from the other end
	sent     int
	seen     map[uint64]time.Time
	last     [Flows]arrival
	longest  time.Duration
	finished bool
}

// arrival is the packet of a flow that came last.
type arrival struct {
	at     time.Time
	number uint64
}

func listen(p Path) (*end, error) {
	e := &end{path: p, seen: map[uint64]time.Time{}}
	for i := range Flows {
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.Local, uint16(FirstPort+i))))
		if err != nil {
			e.close()
			return nil, fmt.Errorf("measure from %s: %w", p.Local, err)
		}
		e.flows = append(e.flows, conn)
	}
	return e, nil
}

func (e *end) close() {
	for _, c := range e.flows {
		_ = c.Close()
	}
}

// send sends a packet of tick n. One that the kernel refuses, having no route, is lost like any other.
func (e *end) send(n int) {
	i, number := n%Flows, uint64(hello)
	e.mu.Lock()
	if e.heard {
		i, number = e.sent%Flows, uint64(e.sent) // a flow is known by its numbers, however many ticks were missed
		e.sent++
	}
	e.mu.Unlock()
	_, _ = e.flows[i].WriteToUDPAddrPort(binary.BigEndian.AppendUint64(nil, number), netip.AddrPortFrom(e.path.Remote, uint16(FirstPort+i)))
}

func (e *end) receive(flow int) {
	buf := make([]byte, 64)
	for {
		n, from, err := e.flows[flow].ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if n == 8 && from.Addr().Unmap() == e.path.Remote {
			e.note(flow, binary.BigEndian.Uint64(buf), time.Now())
		}
	}
}

func (e *end) note(flow int, number uint64, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = true
	if _, twice := e.seen[number]; twice || number == hello || e.finished {
		return
	}
	e.seen[number] = at
	last := e.last[flow]
	if !last.at.IsZero() {
		if number < last.number {
			return // overtaken on another way
		}
		e.longest = max(e.longest, at.Sub(last.at))
	}
	e.last[flow] = arrival{at, number}
}

// outage is the longest run of packets of one flow that never came. It is no longer than the time between those around it: a burst may
// be lost in no time.
func (e *end) outage() (longest time.Duration, from time.Time) {
	for _, last := range e.last {
		var before arrival
		for number := last.number % Flows; number <= last.number; number += Flows {
			at, came := e.seen[number]
			if !came {
				continue
			}
			if missing := (number-before.number)/Flows - 1; !before.at.IsZero() && missing > 0 {
				if lasted := min(at.Sub(before.at), time.Duration(missing+1)*Flows*Interval); lasted > longest {
					longest, from = lasted, before.at
				}
			}
			before = arrival{at, number}
		}
	}
	return longest, from
}

// report closes the books. A flow that was silent to the end has its gap until then.
func (e *end) report() Report {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.finished = true
	now := time.Now().Add(-linger)
	outage, from := e.outage()
	for _, last := range e.last {
		if gap := now.Sub(last.at); !last.at.IsZero() && gap > linger { // the ends do not stop at the same moment
			e.longest = max(e.longest, gap)
			if gap > outage {
				outage, from = gap, last.at
			}
		}
	}
	return Report{Local: e.path.Local, Remote: e.path.Remote, Sent: e.sent, Received: len(e.seen), Gap: e.longest, Outage: outage, OutageFrom: from}
}
