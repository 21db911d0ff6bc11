package lab

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	for _, tc := range []struct {
		name string
		ran  time.Duration
		exit int
		last time.Duration
		want time.Duration
	}{
		{"first", 10 * time.Millisecond, 1, 0, time.Second},
		{"again at once", 10 * time.Millisecond, 1, time.Second, 2 * time.Second},
		{"and again and again", 10 * time.Millisecond, 1, 16 * time.Second, 16 * time.Second},
		{"after a while", time.Minute, 1, 16 * time.Second, time.Second},
		{"killed", 10 * time.Millisecond, 137, 4 * time.Second, time.Second},
	} {
		if got := backoff(tc.ran, tc.exit, tc.last); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestListenReady(t *testing.T) {
	for message, want := range map[string]bool{"READY=1": true, "STATUS=up\nREADY=1\n": true, "STATUS=READY=1": false, "READY=0\nRELOADING=1": false, "": false} {
		if got := saysReady(message); got != want {
			t.Errorf("%q: %v, want %v", message, got, want)
		}
	}
	path := filepath.Join(t.TempDir(), "notify")
	wait, stop, err := listenReady(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, message := range []string{"STATUS=soon", "READY=1"} {
		if _, err := c.Write([]byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	if err := wait(); err != nil {
		t.Error(err)
	}
	stop()
	if err := wait(); err == nil {
		t.Error("stopped, and ready")
	}
}
