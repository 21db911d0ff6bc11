package lldp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// DefaultSettle is how long a port without any frame is called silent only after: most senders speak every 30 s, and an agent
// that restarts must not tell a neighbour away that it has not heard yet.
const DefaultSettle = 40 * time.Second

// Listener hears LLDP on every physical port and follows ports that come and go.
type Listener struct {
	// Switch is put into what is reported.
	Switch string
	// Want tells which ports to listen on; nil means all physical ones.
	Want func(port string) bool
	// OnChange gets all neighbours of a port whenever they changed, and once if a port stays silent for Settle. It is called from
	// one goroutine per port and must not block for long.
	OnChange func(port string, d netmodel.Discovery)
	// Settle is DefaultSettle if 0.
	Settle time.Duration
	Log    *slog.Logger

	heard hearing
}

// Run listens until ctx ends.
func (l *Listener) Run(ctx context.Context) error {
	want := l.Want
	if want == nil {
		want = func(string) bool { return true }
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	type running struct {
		index  int
		conn   *packet.Conn
		cancel context.CancelFunc
		done   chan struct{}
	}
	open := map[string]running{}
	defer func() {
		for _, r := range open {
			r.cancel()
		}
	}()
	return follow(ctx, l.Log, want, func(ports map[string]Port) {
		for name, r := range open {
			if ports[name].Index != r.index || orphaned(r.conn) {
				r.cancel()
				<-r.done
				delete(open, name)
				l.heard.forget(name)
				if _, back := ports[name]; !back {
					l.report(name, nil)
				}
			}
		}
		for name, p := range ports {
			if _, ok := open[name]; ok {
				continue
			}
			conn, err := listen(&net.Interface{Index: p.Index, Name: name})
			if err != nil { // it may be gone again; the next list retries
				l.Log.Warn("cannot listen for LLDP", "port", name, "err", err)
				continue
			}
			l.heard.set(name, nil)
			ctx, cancel := context.WithCancel(ctx)
			r := running{index: p.Index, conn: conn, cancel: cancel, done: make(chan struct{})}
			open[name] = r
			wg.Go(func() {
				defer close(r.done)
				l.listenOn(ctx, name, conn)
			})
		}
	})
}

// listenOn reads frames until ctx ends.
func (l *Listener) listenOn(ctx context.Context, port string, conn net.PacketConn) {
	frames := make(chan []byte, 16)
	var reader sync.WaitGroup
	reader.Go(func() { l.read(ctx, port, conn, frames) })
	l.watch(ctx, port, frames)
	_ = conn.Close()
	reader.Wait()
}

func (l *Listener) read(ctx context.Context, port string, conn net.PacketConn, frames chan<- []byte) {
	buf := make([]byte, maxFrame)
	for {
		n, _, err := conn.ReadFrom(buf)
		switch {
		case ctx.Err() != nil, errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, unix.ENETDOWN): // said once when the port goes down; the socket lives on and hears again when it is up
			continue
		case err != nil:
			l.Log.Warn("cannot read LLDP", "port", port, "err", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
			continue
		}
		select {
		case frames <- append([]byte(nil), buf[:n]...):
		case <-ctx.Done():
			return
		}
	}
}

// watch keeps the table of one port.
func (l *Listener) watch(ctx context.Context, port string, frames <-chan []byte) {
	var t table
	settle := l.Settle
	if settle == 0 {
		settle = DefaultSettle
	}
	silent := time.NewTimer(settle)
	defer silent.Stop()
	expiry := time.NewTimer(time.Hour)
	defer expiry.Stop()
	for {
		changed := false
		select {
		case <-ctx.Done():
			return
		case <-silent.C:
			changed = true
		case <-expiry.C:
			changed = t.expire(time.Now())
		case frame := <-frames:
			advert, err := Parse(frame)
			if err != nil {
				l.Log.Debug("bad LLDP frame", "port", port, "err", err)
				continue
			}
			changed = t.learn(time.Now(), advert)
		}
		if next := t.next(); !next.IsZero() {
			expiry.Reset(time.Until(next))
		}
		l.heard.set(port, t.entries)
		if changed {
			silent.Stop()
			l.report(port, t.neighbours())
		}
	}
}

func (l *Listener) report(port string, neighbours []netmodel.Neighbour) {
	l.OnChange(port, netmodel.Discovery{Switch: l.Switch, Port: port, Neighbours: neighbours})
}
