package command

import (
	"context"
	"strings"
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
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		done := make(chan result, 1)
		go func() { done <- s.ctl(ctx, "watch", "networks", "--filter", "id = blue", "-o", format.name) }()
		for _, line := range []string{"network create blue --prefix 10.1.0.0/24", "network create red --prefix 10.2.0.0/24"} {
			if r := s.ctl(t.Context(), words(line)...); r.code != 0 {
				t.Fatalf("%s: %s", line, r.err)
			}
		}
		time.Sleep(500 * time.Millisecond) // events that follow at once are joined
		for _, id := range []string{"blue", "red"} {
			if r := s.ctl(t.Context(), "network", "delete", id); r.code != 0 {
				t.Fatal(r.err)
			}
		}
		r := <-done
		if r.code != 0 || strings.Count(r.out, format.added) != 1 || strings.Count(r.out, format.deleted) != 1 || strings.Contains(r.out, "red") {
			t.Errorf("-o %s: %+v", format.name, r)
		}
	}
	if r := s.ctl(t.Context(), "watch", "networks", "-o", "yaml"); r.code != exitUsage {
		t.Errorf("%+v", r)
	}
}
