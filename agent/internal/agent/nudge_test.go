package agent

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/agent/internal/system/memory"
)

// A session that stays down on a port with a carrier gets its port bounced, later each time; one that comes up in time does not. It is bounced
// early where it is of the underlay, and earlier where zebra has heard a neighbour of whom bgpd does not know.
func TestNudge(t *testing.T) {
	idle := frr.Session{VRF: "Vrf1", Interface: "swp1", State: "Idle"}
	fabric, active := idle, idle
	fabric.VRF = ""
	active.State, active.Address = "Active", netip.MustParseAddr("fe80::1")
	for _, tc := range []struct {
		name    string
		session frr.Session
		heard   bool
		want    []time.Duration
	}{
		{"a machine that is silent", idle, false, []time.Duration{10 * time.Second, 30 * time.Second}},
		{"a machine that bgpd knows", active, true, []time.Duration{10 * time.Second, 30 * time.Second}},
		{"a machine that bgpd forgot", idle, true, []time.Duration{2 * time.Second, 22 * time.Second, 62 * time.Second}},
		{"a switch", fabric, false, []time.Duration{4 * time.Second, 12 * time.Second, 28 * time.Second, 60 * time.Second}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sw := memory.New("leaf01", "swp1", "swp2")
			for _, port := range []string{"swp1", "swp2"} {
				sw.Apply(t.Context(), []plan.Op{plan.SetUp{Device: port, Up: true}})
			}
			alone := 0
			n := &nudger{system: sw, alone: func(f func()) { alone++; f() }, log: slog.New(slog.DiscardHandler), down: map[string]*wait{}}
			n.hears = func(_ context.Context, vrf, port string) (bool, error) {
				if vrf != tc.session.VRF || port != "swp1" {
					t.Errorf("who is heard on %s in %q does not matter", port, vrf)
				}
				return tc.heard, nil
			}
			down := []frr.Session{tc.session, {VRF: "Vrf1", Interface: "swp2", State: "Established", Established: true}}
			start := time.Unix(0, 0)
			var bounced []time.Duration
			for at := time.Duration(0); at < 65*time.Second; at += time.Second {
				before := sw.Writes()
				n.look(t.Context(), down, start.Add(at))
				if sw.Writes() != before {
					bounced = append(bounced, at)
				}
			}
			if !slices.Equal(bounced, tc.want) {
				t.Errorf("bounced at %v, want %v", bounced, tc.want)
			}
			if alone != len(tc.want) {
				t.Errorf("%d of %d bounces were between passes", alone, len(tc.want))
			}
			down[0].Established = true
			n.look(t.Context(), down, start.Add(time.Hour))
			if len(n.down) != 0 {
				t.Errorf("an established session is still waited for: %v", n.down)
			}
		})
	}
}

// An uplink whose session stands and whose routes bgpd does not use gets its port bounced, one well after the other; one whose routes are used does not, nor does
// that of a machine with the address of a switch.
func TestNudgeLostNextHops(t *testing.T) {
	session := func(port, address string) frr.Session {
		return frr.Session{Interface: port, State: "Established", Established: true, Address: netip.MustParseAddr(address)}
	}
	sessions := []frr.Session{session("swp49", "fe80::49"), session("swp50", "fe80::50"), session("swp51", "fe80::51"), {VRF: "Vrf1", Interface: "swp1", State: "Established", Established: true, Address: netip.MustParseAddr("fe80::49")}}
	const settled = 30 * time.Second // lost before that
	sw := memory.New("leaf01", "swp1", "swp49", "swp50", "swp51")
	for _, s := range sessions {
		sw.Apply(t.Context(), []plan.Op{plan.SetUp{Device: s.Interface, Up: true}})
	}
	var log bytes.Buffer
	n := &nudger{system: sw, alone: func(f func()) { f() }, log: slog.New(slog.NewTextHandler(&log, nil)), down: map[string]*wait{}}
	n.hears = func(context.Context, string, string) (bool, error) { return true, nil }
	lost := map[netip.Addr]bool{netip.MustParseAddr("fe80::49"): true, netip.MustParseAddr("fe80::50"): true, netip.MustParseAddr("10.0.0.1"): true}
	n.lost = func(context.Context) (map[netip.Addr]bool, error) { return lost, nil }
	var bounced []string
	for at := time.Duration(0); at < settled+time.Minute; at += nudgeInterval {
		if at == settled {
			clear(lost)
		}
		log.Reset()
		n.look(t.Context(), sessions, time.Unix(0, 0).Add(at))
		for line := range strings.Lines(log.String()) {
			_, port, _ := strings.Cut(line, "port=")
			port, _, _ = strings.Cut(port, " ")
			bounced = append(bounced, fmt.Sprintf("%s after %v", port, at))
		}
	}
	want := []string{"swp49 after 2s", "swp50 after 12s", "swp49 after 22s"}
	if !slices.Equal(bounced, want) {
		t.Errorf("bounced %q, want %q", bounced, want)
	}
	if len(n.down) != 0 {
		t.Errorf("a session whose routes are used is still waited for: %v", n.down)
	}
}

// Who comes back to a port is waited for as if he were new, unless it was the agent who took the link away.
func TestNudgeBeginsAnewWithACarrier(t *testing.T) {
	for _, tc := range []struct {
		name    string
		without [2]time.Duration // when the port has no carrier
		want    []time.Duration
	}{
		{"a link that is slow to come back", [2]time.Duration{10 * time.Second, 15 * time.Second}, []time.Duration{10 * time.Second, 30 * time.Second, 70 * time.Second}},
		{"a machine that was off", [2]time.Duration{15 * time.Second, 60 * time.Second}, []time.Duration{10 * time.Second, 71 * time.Second}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sw := memory.New("leaf01", "swp1")
			up := func(on bool) { sw.Apply(t.Context(), []plan.Op{plan.SetUp{Device: "swp1", Up: on}}) }
			up(true)
			n := &nudger{system: sw, alone: func(f func()) { f() }, log: slog.New(slog.DiscardHandler), down: map[string]*wait{}}
			n.hears = func(context.Context, string, string) (bool, error) { return false, nil }
			var bounced []time.Duration
			for at := time.Duration(0); at < 80*time.Second; at += time.Second {
				before := sw.Writes()
				n.look(t.Context(), []frr.Session{{VRF: "Vrf1", Interface: "swp1", State: "Idle"}}, time.Unix(0, 0).Add(at))
				if sw.Writes() != before {
					bounced = append(bounced, at)
				}
				up(at < tc.without[0] || at >= tc.without[1])
			}
			if !slices.Equal(bounced, tc.want) {
				t.Errorf("bounced at %v, want %v", bounced, tc.want)
			}
		})
	}
}
