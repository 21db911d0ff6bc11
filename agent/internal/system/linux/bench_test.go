package linux

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// Moving a port costs what the kernel takes for it: the planner's steps against the same requests by themselves, in turns.
func TestMoveCostsWhatTheKernelTakes(t *testing.T) {
	l := newLeaf(t)
	l.converge(leafIntent(tenantPort("swp1", 104001, 1), tenantPort("swp2", 104002, 2)))
	port, err := l.route.device("swp1")
	if err != nil {
		t.Fatal(err)
	}
	vrfs := []string{"Vrf104002", "Vrf104001"}
	var indexes []int
	for _, name := range vrfs {
		li, err := l.route.device(name)
		if err != nil {
			t.Fatal(err)
		}
		indexes = append(indexes, li.index)
	}
	var ours, bare []time.Duration
	for i := range 60 {
		from, to := vrfs[(i+1)%2], vrfs[i%2]
		of := plan.For{"swp1"}
		begin := time.Now()
		for _, r := range l.Apply(t.Context(), []plan.Op{
			plan.SetUp{Device: "swp1", Up: false, For: of}, plan.SetMaster{Device: "swp1", From: from, To: to, For: of}, plan.SetUp{Device: "swp1", Up: true, For: of},
		}) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		ours = append(ours, time.Since(begin))
		begin = time.Now()
		for _, err := range []error{
			l.route.setLink(port.index, 0, unix.IFF_UP), l.route.setLink(port.index, 0, 0, master(indexes[(i+1)%2])),
			l.route.setLink(port.index, unix.IFF_UP, unix.IFF_UP),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		bare = append(bare, time.Since(begin))
		if err := l.route.setLink(port.index, 0, 0, master(indexes[i%2])); err != nil { // where the next round begins
			t.Fatal(err)
		}
	}
	a, b := median(ours), median(bare)
	t.Logf("down, move, up: %v by the planner's steps, %v bare: %.2f times", a, b, float64(a)/float64(b))
	if a > 3*b { // 1.5 is the target on a quiet host; here others may be busy
		t.Errorf("the planner's steps cost %v, the kernel's %v", a, b)
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
