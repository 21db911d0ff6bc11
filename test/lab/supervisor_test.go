package lab

import (
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
