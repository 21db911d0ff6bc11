package command

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestWatch: a change made while a watch runs is a line of it, the filter holds, and an interrupted watch has not failed.
func TestWatch(t *testing.T) {
	s := startServer(t)
	for _, format := range []struct{ name, added, deleted string }{
		{"table", "added     blue", "deleted   blue"},
		{"json", `"EVENT_TYPE_ADDED"`, `"EVENT_TYPE_DELETED"`},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		out, done := &screen{}, make(chan int, 1)
		go func() {
			args := []string{"--server", s.GRPC, "watch", "networks", "--filter", "id = blue", "-o", format.name}
			done <- Main(ctx, args, World{In: strings.NewReader(""), Out: out, Err: out, Getenv: func(string) string { return "" }, Now: time.Now})
		}()
		for _, line := range []string{"network create red --prefix 10.2.0.0/24", "network create blue --prefix 10.1.0.0/24"} {
			if r := s.ctl(t.Context(), words(line)...); r.code != 0 {
				t.Fatalf("%s: %s", line, r.err)
			}
		}
		out.await(t, format.added)
		for _, id := range []string{"red", "blue"} {
			if r := s.ctl(t.Context(), "network", "delete", id); r.code != 0 {
				t.Fatal(r.err)
			}
		}
		out.await(t, format.deleted)
		cancel()
		if code, text := <-done, out.String(); code != 0 || strings.Count(text, format.added) != 1 || strings.Count(text, format.deleted) != 1 || strings.Contains(text, "red") {
			t.Errorf("-o %s: code %d, %s", format.name, code, text)
		}
	}
	if r := s.ctl(t.Context(), "watch", "networks", "-o", "yaml"); r.code != exitUsage {
		t.Errorf("%+v", r)
	}
}

// screen is what a command that still runs has printed so far.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(s.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %q in %q", text, s.String())
		}
	}
}
