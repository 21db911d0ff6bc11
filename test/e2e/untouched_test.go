package e2e

import (
	"context"
	"strings"
	"testing"

	"github.com/pointsman/pointsman/test/fabric"
)

// untouched watches switches on which nothing is to be changed: their kernel by every netlink request, FRR by the commands that it logs and
// by its configuration.
type untouched struct {
	f              *fabric.Fabric
	monitors       map[string]*netlinkMonitor
	marks, configs map[string]string
}

func watchUntouched(ctx context.Context, t *testing.T, f *fabric.Fabric, nodes ...string) *untouched {
	t.Helper()
	u := &untouched{f: f, monitors: map[string]*netlinkMonitor{}, marks: map[string]string{}, configs: map[string]string{}}
	for _, node := range nodes {
		sh(ctx, t, f, node, "vtysh -c 'configure terminal' -c 'log commands'")
		u.configs[node] = runningConfig(ctx, t, f, node)
		marks := logMarks(ctx, t, f, node)
		sh(ctx, t, f, node, "vtysh -c 'configure terminal' -c 'exit'")
		if len(configured(ctx, t, f, node, marks)) == 0 {
			t.Fatalf("the control: FRR's log on %s shows no configuration command", node)
		}
		u.monitors[node] = monitorNetlink(ctx, t, f, node)
		u.marks[node] = logMarks(ctx, t, f, node)
	}
	return u
}

// end asserts that nobody changed anything, and ends the watch.
func (u *untouched) end(ctx context.Context, t *testing.T) {
	t.Helper()
	for node, m := range u.monitors {
		m.assertNoWrite(t, node)
		if commands := configured(ctx, t, u.f, node, u.marks[node]); len(commands) > 0 {
			t.Errorf("FRR on %s was configured:\n%s", node, strings.Join(commands, "\n"))
		}
		if err := differ(strings.Split(u.configs[node], "\n"), strings.Split(runningConfig(ctx, t, u.f, node), "\n")); err != nil {
			t.Errorf("FRR's configuration on %s: %v", node, err)
		}
		m.stop()
		sh(ctx, t, u.f, node, "vtysh -c 'configure terminal' -c 'no log commands'")
	}
}
