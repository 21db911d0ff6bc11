package command

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// walk shows a wait from allocated to reachable, a second apart.
func walk(interactive bool) string {
	var out bytes.Buffer
	clock := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	a := &app{World: World{Err: &out, Interactive: interactive, Now: func() time.Time { return clock }}}
	p := a.progress()
	allocated := &apiv1.PhaseStamp{Phase: apiv1.Phase_PHASE_ALLOCATED}
	configured := &apiv1.PhaseStamp{Phase: apiv1.Phase_PHASE_CONFIGURED, ElapsedMs: 12.34, Agents: []*apiv1.AgentTime{
		{Switch: "leaf01", Time: timestamppb.New(clock)}, {Switch: "leaf02", Time: timestamppb.New(clock.Add(time.Millisecond))},
	}}
	reachable := &apiv1.PhaseStamp{Phase: apiv1.Phase_PHASE_REACHABLE, ElapsedMs: 2000}
	for _, r := range []*apiv1.Receipt{
		{Phases: []*apiv1.PhaseStamp{allocated}, WaitingFor: []string{"leaf01 has not applied generation 2", "leaf02 has not applied generation 2"}},
		{Phases: []*apiv1.PhaseStamp{allocated, configured}, WaitingFor: []string{"leaf01:swp1 is Active"}},
		{Phases: []*apiv1.PhaseStamp{allocated, configured, reachable}},
	} {
		p.receipt(r)
		clock = clock.Add(time.Second)
		p.tick()
		p.tick()
	}
	p.done()
	return out.String()
}

func TestProgressInALog(t *testing.T) {
	want := `allocated      0.0 ms
waiting for leaf01 has not applied generation 2; leaf02 has not applied generation 2
configured    12.3 ms   last: leaf02
waiting for leaf01:swp1 is Active
reachable   2000.0 ms
`
	if diff := cmp.Diff(want, walk(false)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProgressOnATerminal(t *testing.T) {
	const e = eraseLine
	want := e + "allocated      0.0 ms\n" +
		e + "   0.0 s   waiting for leaf01 has not applied generation 2; leaf02 has not app…" +
		e + "   1.0 s   waiting for leaf01 has not applied generation 2; leaf02 has not app…" +
		e + "   1.0 s   waiting for leaf01 has not applied generation 2; leaf02 has not app…" +
		e + "configured    12.3 ms   last: leaf02\n" +
		e + "   1.0 s   waiting for leaf01:swp1 is Active" +
		e + "   2.0 s   waiting for leaf01:swp1 is Active" +
		e + "   2.0 s   waiting for leaf01:swp1 is Active" +
		e + "reachable   2000.0 ms\n" + e
	if diff := cmp.Diff(want, walk(true)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
