package lldp

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

func hostFrame(chassis string, ttl byte) []byte {
	return frameOf(tlv(1, "\x07"+chassis), tlv(2, "\x05lan0"), tlv(3, "\x00"+string(ttl)))
}

// heard is one report: when, and whom it names.
type heard struct {
	at    time.Duration
	names []string
}

func TestWatchReportsOnChangeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var got []heard
		l := &Listener{Switch: "leaf01", Settle: 40 * time.Second, Log: slog.Default(), OnChange: func(port string, d netmodel.Discovery) {
			var names []string
			for _, n := range d.Neighbours {
				names = append(names, n.ChassisID)
			}
			got = append(got, heard{time.Since(start), names})
		}}
		ctx, cancel := context.WithCancel(t.Context())
		frames := make(chan []byte)
		go l.watch(ctx, "swp1", frames)
		for range 5 { // a machine speaks every 2 s; the first frame is news, the others are not
			frames <- hostFrame("m1", 8)
			time.Sleep(2 * time.Second)
		}
		frames <- []byte("rubbish")
		time.Sleep(20 * time.Second) // last frame at 8 s: gone at 16 s
		frames <- hostFrame("m2", 8)
		frames <- hostFrame("m2", 0) // it says that it goes
		time.Sleep(time.Minute)
		cancel()
		synctest.Wait()
		want := []heard{{0, []string{"m1"}}, {16 * time.Second, nil}, {30 * time.Second, []string{"m2"}}, {30 * time.Second, nil}}
		if !slices.EqualFunc(got, want, func(a, b heard) bool { return a.at == b.at && slices.Equal(a.names, b.names) }) {
			t.Errorf("reported %v, want %v", got, want)
		}
	})
}

func TestWatchReportsSilenceOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		l := &Listener{Settle: 40 * time.Second, Log: slog.Default(), OnChange: func(string, netmodel.Discovery) { at = append(at, time.Since(start)) }}
		ctx, cancel := context.WithCancel(t.Context())
		go l.watch(ctx, "swp1", nil)
		time.Sleep(10 * time.Minute)
		cancel()
		synctest.Wait()
		if !slices.Equal(at, []time.Duration{40 * time.Second}) {
			t.Errorf("reported at %v", at)
		}
	})
}
