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
		t.Skip("MGMTD IS NOT TRIED: this FRR has none; POINTSMAN_FRR=10.3 takes one that has, as make test-long does")
	}
	daemons, client := start(t, v, "")
	apply(t, client, parse(t, golden(t, "leaf")))
	t.Run("a change is given up", func(t *testing.T) { givenUp(t, daemons, client) })
	t.Run("a batch is rejected", func(t *testing.T) { rejected(t, daemons, client) })
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

// rejected: a VNI that another VRF has is what zebra alone refuses. The rest of its batch is taken, over the same connection.
func rejected(t *testing.T, daemons *frrguest.FRR, client *frrsystem.Client) {
	vnis := []frr.Change{{Context: []string{"vrf Vrf100007"}, Line: "vni 100007"}, {Context: []string{"vrf Vrf100008"}, Line: "vni 100007"}, interval("swp1", "8")}
	for range 5 {
		_, from := daemons.Log(0)
		errs := client.Apply(timeout(t, 20*time.Second), vnis)
		if refusal := new(frrsystem.RefusedError); errs[0] != nil || !errors.As(errs[1], &refusal) || errs[2] != nil {
			t.Errorf("errors are %v", errs)
		}
		if log, _ := daemons.Log(from); !strings.Contains(log, "mgmt commit abort") || strings.Contains(log, "# enable") || strings.Contains(log, "> enable") {
			t.Errorf("a rejected batch was left otherwise:\n%s", log)
		}
		send(t, client, []frr.Change{{Context: []string{"vrf Vrf100007"}, Line: "no vni 100007"}, interval("swp1", "7")})
	}
	send(t, client, []frr.Change{{Line: "no vrf Vrf100007"}, {Line: "no vrf Vrf100008"}})
}

// vrfIsThere: a VRF whose device is there is not deleted, without anybody having been asked but zebra what it has.
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
