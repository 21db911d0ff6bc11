package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// running is a pointsmanctl that has not ended.
type running struct {
	out, err *screen
	done     chan int
	stop     func()
}

func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &running{out: &screen{}, err: &screen{}, done: make(chan int, 1), stop: stop}
	t.Cleanup(stop)
	go func() {
		r.done <- Main(ctx, args, World{In: strings.NewReader(""), Out: r.out, Err: r.err, Getenv: func(string) string { return "" }, Now: time.Now})
	}()
	return r
}

// events are what a watch of networks with -o json has said: type and id, in order.
func (r *running) events(t *testing.T) []string {
	t.Helper()
	var out []string
	for dec := json.NewDecoder(strings.NewReader(r.out.String())); ; {
		var e struct {
			Type    string
			Network struct{ ID string }
		}
		if err := dec.Decode(&e); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatalf("%v in %q", err, r.out.String())
		}
		out = append(out, strings.TrimPrefix(e.Type, "EVENT_TYPE_")+" "+e.Network.ID)
	}
}

// until waits for an event; then nothing that came before it is on its way any more.
func (r *running) until(t *testing.T, event string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !slices.Contains(r.events(t), event); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %q in %v; stderr: %s", event, r.events(t), r.err.String())
		}
	}
}

// TestWatchSurvivesARestart: whether the control plane ends in order or dies, its watchers miss no change and are told none twice.
func TestWatchSurvivesARestart(t *testing.T) {
	s := startServer(t)
	s.must(t, "network create n0 --prefix 10.0.0.0/24")
	w := start(t, "--server", s.GRPC, "network", "list", "-w", "-o", "json")
	w.until(t, "ADDED n0")
	want := []string{"ADDED n0"}
	for i, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGTERM} {
		before, after := fmt.Sprintf("before%d", i), fmt.Sprintf("after%d", i)
		s.must(t, fmt.Sprintf("network create %s --prefix 10.1.%d.0/24", before, i)) // it may be told before the end, or after it
		s.restart(t, sig)
		s.must(t, fmt.Sprintf("network create %s --prefix 10.2.%d.0/24", after, i))
		w.until(t, "ADDED "+after)
		s.must(t, "network delete "+before)
		w.until(t, "DELETED "+before)
		want = append(want, "ADDED "+before, "ADDED "+after, "DELETED "+before)
	}
	w.stop()
	if code := <-w.done; code != exitOK {
		t.Errorf("exit code %d: %s", code, w.err.String())
	}
	if diff := cmp.Diff(sorted(want), sorted(w.events(t))); diff != "" {
		t.Errorf("-want +told:\n%s\nstderr: %s", diff, w.err.String())
	}
	if n := strings.Count(w.err.String(), "the watch broke"); n != 3 {
		t.Errorf("stderr tells of %d breaks:\n%s", n, w.err.String())
	}
}

func sorted(in []string) []string { return slices.Sorted(slices.Values(in)) }

// gate is a line to a server that can be closed: connections are cut, and new ones end at once.
type gate struct {
	listener net.Listener
	server   string

	mu     sync.Mutex
	closed bool
	open   []net.Conn
}

func newGate(t *testing.T, server string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{listener: l, server: server}
	t.Cleanup(func() { l.Close(); g.set(true) })
	go g.serve()
	return g
}

func (g *gate) serve() {
	for {
		client, err := g.listener.Accept()
		if err != nil {
			return
		}
		g.mu.Lock()
		server, err := net.Dial("tcp", g.server)
		if g.closed || err != nil {
			client.Close()
			if err == nil {
				server.Close()
			}
			g.mu.Unlock()
			continue
		}
		g.open = append(g.open, client, server)
		g.mu.Unlock()
		go func() { _, _ = io.Copy(server, client); server.Close() }()
		go func() { _, _ = io.Copy(client, server); client.Close() }()
	}
}

func (g *gate) set(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
	if closed {
		for _, c := range g.open {
			c.Close()
		}
		g.open = nil
	}
}

// TestWatchAfterCompaction: when the history of what a watcher missed is gone, everything is listed again, and the reader is told the
// difference: what is new, what was deleted meanwhile, and nothing that he knows.
func TestWatchAfterCompaction(t *testing.T) {
	s := startServer(t)
	for i, id := range []string{"stays", "goes", "anew"} {
		s.must(t, fmt.Sprintf("network create %s --prefix 10.%d.0.0/24", id, i))
	}
	g := newGate(t, s.GRPC)
	w := start(t, "--server", g.listener.Addr().String(), "watch", "networks", "-o", "json")
	for _, id := range []string{"stays", "goes", "anew"} {
		w.until(t, "ADDED "+id)
	}
	g.set(true)
	s.must(t, "network delete goes")
	s.must(t, "network delete anew")
	s.must(t, "network create anew --prefix 10.9.0.0/24")
	s.must(t, "network create new --prefix 10.10.0.0/24")
	r, err := s.etcd.Get(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.etcd.Compact(t.Context(), r.Header.Revision); err != nil {
		t.Fatal(err)
	}
	g.set(false)
	w.until(t, "DELETED goes")
	w.stop()
	if code := <-w.done; code != exitOK {
		t.Errorf("exit code %d: %s", code, w.err.String())
	}
	want := []string{"ADDED anew", "ADDED anew", "ADDED goes", "ADDED new", "ADDED stays", "DELETED anew", "DELETED goes"}
	if diff := cmp.Diff(want, sorted(w.events(t))); diff != "" {
		t.Errorf("-want +told:\n%s\nstderr: %s", diff, w.err.String())
	}
	if !strings.Contains(w.err.String(), "listed again") {
		t.Errorf("nothing was listed again, so that this proves nothing: %s", w.err.String())
	}
}

// TestWatchOfOne: get -w follows one object, of every kind, and refuses one that is not there as a get does.
func TestWatchOfOne(t *testing.T) {
	s := ready(t)
	s.must(t, "allocate --network blue --machine machine01 --id web1 --wait")
	s.must(t, "ip allocate --network blue --address 10.64.1.5")
	for _, line := range []string{
		"network get blue -w", "machine get machine01 -w", "switch get leaf01 -w", "allocation get web1 --watch", "ip get 10.64.1.5 --network blue -w",
		"ip list -w --network blue", "machine list -w --state allocated", "switch list -w --role leaf", "allocation list -w --network blue",
	} {
		name := words(line)[2]
		if strings.HasPrefix(name, "-") {
			name = "added"
		}
		w := start(t, append([]string{"--server", s.GRPC}, words(line)...)...)
		w.out.await(t, name)
		w.stop()
		if code := <-w.done; code != exitOK || !strings.Contains(w.out.String(), "EVENT") || strings.Contains(w.out.String(), "machine02") || strings.Contains(w.out.String(), "leaf02 ") && strings.Contains(line, "get") {
			t.Errorf("%s: code %d, prints %s", line, code, w.out.String())
		}
	}
	for _, line := range []string{"network get bogus -w", "machine get bogus -w", "switch get bogus -w", "allocation get bogus -w", "ip get 10.64.1.6 --network blue -w"} {
		if r := s.ctl(t.Context(), words(line)...); r.code != exitFailure || r.out != "" {
			t.Errorf("%s: %+v", line, r)
		}
	}
	if r := s.ctl(t.Context(), words("network list -w -o yaml")...); r.code != exitUsage {
		t.Errorf("%+v", r)
	}
}
