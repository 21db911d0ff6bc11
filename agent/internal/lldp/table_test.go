package lldp

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

func advert(chassis string, ttl time.Duration) Advert {
	return Advert{Neighbour: netmodel.Neighbour{ChassisID: chassis, ChassisIDSubtype: 7, PortID: "p", PortIDSubtype: 5}, TTL: ttl}
}

func names(t *table) (out []string) {
	for _, n := range t.neighbours() {
		out = append(out, n.ChassisID)
	}
	return out
}

func TestTable(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	var tab table
	for _, step := range []struct {
		name    string
		do      func() bool
		changed bool
		want    []string
	}{
		{"the first", func() bool { return tab.learn(at(0), advert("b", 8*time.Second)) }, true, []string{"b"}},
		{"sorted, not by arrival", func() bool { return tab.learn(at(0), advert("a", 4*time.Second)) }, true, []string{"a", "b"}},
		{"again says nothing new", func() bool { return tab.learn(at(3), advert("a", 4*time.Second)) }, false, []string{"a", "b"}},
		{"its own TTL began anew", func() bool { return tab.expire(at(6)) }, false, []string{"a", "b"}},
		{"each by its own TTL", func() bool { return tab.expire(at(7)) }, true, []string{"b"}},
		{"an unknown one goes", func() bool { return tab.learn(at(7), advert("x", 0)) }, false, []string{"b"}},
		{"a shutdown removes at once", func() bool { return tab.learn(at(7), advert("b", 0)) }, true, nil},
	} {
		if got := step.do(); got != step.changed {
			t.Errorf("%s: changed %v", step.name, got)
		}
		if got := names(&tab); !slices.Equal(got, step.want) {
			t.Errorf("%s: %v, want %v", step.name, got, step.want)
		}
	}
}

func TestTableKeepsFirstSeenAndNoticesNewWords(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var tab table
	tab.learn(start, advert("a", 8*time.Second))
	renamed := advert("a", 8*time.Second)
	renamed.Neighbour.SystemName = "m02"
	if !tab.learn(start.Add(time.Second), renamed) {
		t.Error("a new system name is no change")
	}
	if n := tab.neighbours()[0]; n.SystemName != "m02" || !n.FirstSeen.Equal(start) {
		t.Errorf("neighbour %+v", n)
	}
}

// Whatever strangers send, a port never holds more than four, always sorted, and an established neighbour that keeps talking is
// never displaced.
func TestTableUnderFlood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var tab table
		tab.learn(now, advert("machine", time.Hour))
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			stranger := "s" + strconv.Itoa(rapid.IntRange(0, 30).Draw(t, "stranger"))
			tab.learn(now, advert(stranger, time.Duration(rapid.IntRange(0, 9).Draw(t, "ttl"))*time.Second))
			tab.expire(now)
			got := names(&tab)
			if len(got) > maxNeighbours || !slices.IsSorted(got) || !slices.Contains(got, "machine") {
				t.Fatalf("neighbours %v", got)
			}
			if next := tab.next(); next.IsZero() || !next.After(now) {
				t.Fatalf("next expiry %v at %v", next, now)
			}
		}
	})
}
