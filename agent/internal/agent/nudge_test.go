package agent

import (
	"log/slog"
	"testing"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/agent/internal/system/memory"
)

// A session that stays down on a port with a carrier gets its port bounced, later each time; one that comes up in time does not.
func TestNudge(t *testing.T) {
	sw := memory.New("leaf01", "swp1", "swp2")
	for _, port := range []string{"swp1", "swp2"} {
		sw.Apply(t.Context(), []plan.Op{plan.SetUp{Device: port, Up: true}})
	}
	alone := 0
	n := &nudger{system: sw, alone: func(f func()) { alone++; f() }, log: slog.New(slog.DiscardHandler), down: map[string]*wait{}}
	down := []frr.Session{{VRF: "Vrf1", Interface: "swp1", State: "Idle"}, {VRF: "Vrf1", Interface: "swp2", State: "Established", Established: true}}
	start := time.Unix(0, 0)
	var bounced []time.Duration
	for at := time.Duration(0); at < 65*time.Second; at += time.Second {
		before := sw.Writes()
		n.look(t.Context(), down, start.Add(at))
		if sw.Writes() != before {
			bounced = append(bounced, at)
		}
	}
	if len(bounced) != 2 || bounced[0] != 10*time.Second || bounced[1] != 30*time.Second {
		t.Errorf("bounced at %v, want 10s and 30s", bounced)
	}
	if alone != 2 {
		t.Errorf("%d of 2 bounces were between passes", alone)
	}
	down[0].Established = true
	n.look(t.Context(), down, start.Add(time.Hour))
	if len(n.down) != 0 {
		t.Errorf("an established session is still waited for: %v", n.down)
	}
}
