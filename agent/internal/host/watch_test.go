package host

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestWatchFile: every way in which a file changes is told at once; a directory that was removed and made again is watched again.
func TestWatchFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pointsman")
	path := filepath.Join(dir, "machine.json")
	mkdir(t, dir)
	changed := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { watchFile(ctx, path, changed); close(ended) }()
	told := func(what string) {
		t.Helper()
		select {
		case <-changed:
		case <-time.After(5 * time.Second):
			t.Fatalf("nothing was told of: %s", what)
		}
		for quiet := false; !quiet; { // one change may be several events
			select {
			case <-changed:
			case <-time.After(50 * time.Millisecond):
				quiet = true
			}
		}
	}
	told("the watch began")
	write(t, path)
	told("file created")
	write(t, path)
	told("file written again")
	write(t, path+".new")
	told("another file created")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	told("file replaced")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	told("directory removed")
	mkdir(t, dir)
	told("directory made again")
	write(t, path)
	told("file created in the new directory")
	cancel()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the watch does not end")
	}
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
}
