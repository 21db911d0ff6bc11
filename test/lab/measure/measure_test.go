package measure

import (
	"context"
	"net/netip"
	"testing"
	"time"
)

// TestRun: two ends on the loopback lose nothing at 100 packets a second; a path whose far end is silent for a while shows a gap
// of that length, and what was lost.
func TestRun(t *testing.T) {
	a, b := netip.MustParseAddr("127.0.0.11"), netip.MustParseAddr("127.0.0.12")
	run := func(length time.Duration, p Path) <-chan Report {
		out := make(chan Report, 1)
		ctx, cancel := context.WithTimeout(t.Context(), length)
		go func() {
			defer cancel()
			reports, err := Run(ctx, []Path{p})
			if err != nil {
				t.Error(err)
				reports = []Report{{}}
			}
			out <- reports[0]
		}()
		return out
	}
	steady := run(3*time.Second, Path{Local: a, Remote: b})
	far := <-run(time.Second, Path{Local: b, Remote: a})
	if far.Sent < 10 || far.Sent > 101 { // a busy host starts late, and never sends too much
		t.Errorf("%d packets in a second, want about 100", far.Sent)
	}
	near := <-steady
	if near.Sent < 150 || near.Sent > 301 {
		t.Errorf("%d packets in three seconds, want about 300", near.Sent)
	}
	if near.Received != far.Sent {
		t.Errorf("%d of %d packets came over the loopback", near.Received, far.Sent)
	}
	if near.Gap < 1500*time.Millisecond || near.Gap > 3*time.Second {
		t.Errorf("the far end was silent for 2 s, the longest gap is %v", near.Gap)
	}
	if far.Gap > 1200*time.Millisecond {
		t.Errorf("an undisturbed path has a gap of %v", far.Gap)
	}
}

// TestOutage: what is lost is an outage, what is late is none, and neither is what is sent in a burst.
func TestOutage(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	for name, tc := range map[string]struct {
		arrivals    []arrival
		gap, outage time.Duration // ms
	}{
		"steady":              {[]arrival{{at(0), 0}, {at(40), 4}, {at(80), 8}}, 40, 0},
		"late":                {[]arrival{{at(0), 0}, {at(900), 4}, {at(901), 8}}, 900, 0},
		"lost":                {[]arrival{{at(0), 0}, {at(400), 40}, {at(440), 44}}, 400, 400},
		"lost, then late":     {[]arrival{{at(0), 0}, {at(900), 12}}, 900, 120},
		"lost out of a burst": {[]arrival{{at(0), 0}, {at(50), 400}}, 50, 50},
		"long overtaken":      {[]arrival{{at(0), 0}, {at(900), 40}, {at(901), 4}, {at(902), 8}, {at(903), 16}, {at(904), 36}, {at(905), 44}}, 900, 1},
		"overtaken":           {[]arrival{{at(0), 4}, {at(10), 0}, {at(40), 8}}, 40, 0},
	} {
		e := &end{seen: map[uint64]time.Time{}}
		for _, a := range tc.arrivals {
			e.note(0, a.number, a.at)
		}
		if outage, from := e.outage(); e.longest != tc.gap*time.Millisecond || outage != tc.outage*time.Millisecond || from.IsZero() != (outage == 0) {
			t.Errorf("%s: gap %v and outage %v from %v, want %d and %d ms", name, e.longest, outage, from, tc.gap, tc.outage)
		}
	}
}
