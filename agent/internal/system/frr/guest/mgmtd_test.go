package guest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/test/frrguest"
)

// TestMgmtdSurvives what mgmtd 10.3 is hard to get over: a change that is not waited for to the end, what it rejects as a batch, and what
// the daemons behind it would refuse.
func TestMgmtdSurvives(t *testing.T) { frrguest.Each(t, testMgmtdSurvives) }

func testMgmtdSurvives(t *testing.T, v frrguest.Version) {
	if !v.HasMgmtd() {
		t.Skip("MGMTD IS NOT TRIED: this FRR has none; make test tries it with POINTSMAN_FRR=10.3")
	}
	daemons, client := start(t, v, "")
	apply(t, client, parse(t, golden(t, "leaf")))
	for _, backEnd := range []string{"zebra", "staticd"} { // one that still joins has mgmtd's lock when zebra is stopped
		eventually(t, backEnd+" has joined mgmtd", func() bool {
			text, err := daemons.Shell("-c", "show configuration running json "+backEnd)
			return err == nil && strings.Contains(text, `"swp10"`)
		})
	}
	t.Run("a change is given up", func(t *testing.T) { givenUp(t, daemons, client) })
	t.Run("a batch is rejected", func(t *testing.T) { rejected(t, daemons, client) })
	t.Run("a VNI is another's", func(t *testing.T) { sharedVNI(t, daemons, client) })
	t.Run("a VRF is there", func(t *testing.T) { vrfIsThere(t, daemons, client) })
	if !daemons.Alive("mgmtd") || !daemons.Alive("zebra") {
		t.Error("mgmtd or zebra ended")
	}
}

func interval(port, seconds string) frr.Change {
	return frr.Change{Context: []string{"interface " + port}, Line: "ipv6 nd ra-interval " + seconds}
}

// givenUp: while zebra does not answer, nothing is taken, and mgmtd lives. Then all is.
func givenUp(t *testing.T, daemons *frrguest.FRR, client *frrsystem.Client) {
	first, second := interval("swp1", "7"), interval("swp2", "7")
	daemons.Signal(t, "zebra", unix.SIGSTOP)
	if err := client.Apply(timeout(t, 2*time.Second), []frr.Change{first})[0]; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a change that zebra does not answer: %v", err)
	}
	if err := client.Apply(timeout(t, 20*time.Second), []frr.Change{second})[0]; err == nil {
		t.Error("a change was accepted while another is under way")
	}
	daemons.Signal(t, "zebra", unix.SIGCONT)
	eventually(t, "changes are taken again", func() bool {
		errs := client.Apply(timeout(t, 20*time.Second), []frr.Change{first, second})
		return errs[0] == nil && errs[1] == nil
	})
	if have := running(t, client); !have.Reflects(first) || !have.Reflects(second) {
		t.Errorf("FRR does not run %v and %v:\n%s", first, second, have)
	}
}

// rejected: a lifetime of advertisements that is shorter than their interval is against the YANG model: mgmtd takes the line and rejects its
// batch, without having asked anybody. The rest of the batch is taken, over the same connection.
func rejected(t *testing.T, daemons *frrguest.FRR, client *frrsystem.Client) {
	batch := []frr.Change{interval("swp1", "8"), {Context: []string{"interface swp1"}, Line: "ipv6 nd ra-lifetime 5"}, interval("swp2", "8")}
	for range 5 {
		_, from := daemons.Log(0)
		errs := client.Apply(timeout(t, 20*time.Second), batch)
		if refusal := new(frrsystem.RefusedError); errs[0] != nil || !errors.As(errs[1], &refusal) || errs[2] != nil {
			t.Errorf("errors are %v", errs)
		}
		if log, _ := daemons.Log(from); !strings.Contains(log, "mgmt commit abort") || strings.Contains(log, "# enable") || strings.Contains(log, "> enable") {
			t.Errorf("a rejected batch was left otherwise:\n%s", log)
		}
		if have := running(t, client); !have.Reflects(batch[0]) || have.Reflects(batch[1]) || !have.Reflects(batch[2]) {
			t.Errorf("of %v, FRR runs\n%s", batch, have)
		}
		send(t, client, []frr.Change{interval("swp1", "7"), interval("swp2", "7")})
	}
}

// sharedVNI: zebra refuses a VNI that another VRF has. mgmtd is not told of it; the rest of the batch is taken.
func sharedVNI(t *testing.T, daemons *frrguest.FRR, client *frrsystem.Client) {
	const first, second = "Vrf100007", "Vrf100008"
	in := func(vrf, line string) frr.Change { return frr.Change{Context: []string{"vrf " + vrf}, Line: line} }
	refuses := func(holder string, taker frr.Change, others ...frr.Change) {
		t.Helper()
		_, from := daemons.Log(0)
		errs := client.Apply(timeout(t, 20*time.Second), append(others, taker))
		refusal := new(frrsystem.RefusedError)
		if err := errs[len(others)]; !errors.As(err, &refusal) || !strings.Contains(err.Error(), holder) {
			t.Errorf("%v: %v", taker, err)
		}
		if err := errors.Join(errs[:len(others)]...); err != nil {
			t.Error(err)
		}
		if log, _ := daemons.Log(from); !strings.Contains(log, "show vrf vni") || strings.Contains(log, taker.Context[0]) || strings.Contains(log, "mgmt commit abort") {
			t.Errorf("FRR was told:\n%s", log)
		}
		have := running(t, client)
		for _, other := range others {
			if !have.Reflects(other) {
				t.Errorf("FRR does not run %v:\n%s", other, have)
			}
		}
		if have.Reflects(taker) {
			t.Errorf("FRR runs %v:\n%s", taker, have)
		}
	}
	refuses(first, in(second, "vni 100007"), in(first, "vni 100007"), interval("swp1", "8")) // the batch itself gives it to the first
	refuses(first, in(second, "vni 100007"))                                                 // who has it, alone
	handover := []frr.Change{in(first, "no vni 100007"), in(second, "vni 100007"), interval("swp1", "7")}
	send(t, client, handover)
	have := running(t, client)
	for _, change := range handover {
		if !have.Reflects(change) {
			t.Errorf("FRR does not run %v:\n%s", change, have)
		}
	}
	refuses(second, in(first, "vni 100007"))
	send(t, client, []frr.Change{in(second, "no vni 100007"), {Line: "no vrf " + first}, {Line: "no vrf " + second}})
}

// vrfIsThere: a VRF whose device is there is not deleted, and nobody is asked but zebra what it has. Once zebra and staticd have heard that
// the device is gone, the VRF is.
func vrfIsThere(t *testing.T, daemons *frrguest.FRR, client *frrsystem.Client) {
	const name = "Vrf100009"
	removal := []frr.Change{{Line: "no vrf " + name}}
	run(t, "ip", "link", "add", name, "up", "type", "vrf", "table", "1009")
	send(t, client, []frr.Change{{Context: []string{"vrf " + name}, Line: "vni 100009"}})
	send(t, client, []frr.Change{{Context: []string{"vrf " + name}, Line: "no vni 100009"}})
	_, from := daemons.Log(0)
	err := client.Apply(timeout(t, 20*time.Second), removal)[0]
	if refusal := new(frrsystem.RefusedError); !errors.As(err, &refusal) {
		t.Errorf("a VRF whose device is there was deleted: %v", err)
	}
	if log, _ := daemons.Log(from); !strings.Contains(log, "show vrf") || strings.Contains(log, "no vrf") {
		t.Errorf("FRR was told:\n%s", log)
	}
	run(t, "ip", "link", "del", name)
	eventually(t, "the VRF is deleted", func() bool { return client.Apply(timeout(t, 20*time.Second), removal)[0] == nil })
}
