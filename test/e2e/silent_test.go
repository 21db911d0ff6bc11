package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/fabric"
)

// TestSecondPassIsSilent: an agent that starts anew on a converged switch writes nothing, to the kernel or to FRR.
func TestSecondPassIsSilent(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		network(ctx, t, f, "silent", "10.1.0.0/24", "fd01::/64")
		a := allocate(ctx, t, f, "silent", "machine01")
		b := allocate(ctx, t, f, "silent", "machine04")
		const leaf = "leaf01"
		sh(ctx, t, f, leaf, "vtysh -c 'configure terminal' -c 'log commands'")
		defer sh(context.WithoutCancel(ctx), t, f, leaf, "vtysh -c 'configure terminal' -c 'no log commands'")

		monitor := monitorNetlink(ctx, t, f, leaf)
		// The control: the monitor sees a write, and FRR's log a configuration command.
		marks := logMarks(ctx, t, f, leaf)
		sh(ctx, t, f, leaf, "ip link set swp4 alias control; ip link set swp4 alias ''; vtysh -c 'configure terminal' -c 'bfd' -c 'profile control' -c 'exit' -c 'no profile control'")
		await(ctx, t, "the monitor sees a write", func(context.Context) error {
			if !strings.Contains(monitor.text(), "swp4") {
				return fmt.Errorf("it printed %q", monitor.text())
			}
			return nil
		})
		if commands := configured(ctx, t, f, leaf, marks); len(commands) == 0 {
			t.Fatal("the control: FRR's log shows configuration commands")
		}
		monitor.stop()

		monitor = monitorNetlink(ctx, t, f, leaf)
		marks = logMarks(ctx, t, f, leaf)
		since := time.Now()
		if err := f.Lab.Kill(ctx, leaf, "agent", syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		awaitAgent(ctx, t, f, leaf, since)
		time.Sleep(3 * time.Second) // a watch over time, not a wait for something
		if text := strings.TrimSpace(monitor.text()); text != "" {
			t.Errorf("a second pass wrote to the kernel:\n%s", text)
		}
		if commands := configured(ctx, t, f, leaf, marks); len(commands) > 0 {
			t.Errorf("a second pass configured FRR:\n%s", strings.Join(commands, "\n"))
		}
		monitor.stop()
		reach(ctx, t, f, a, b, 0)
		release(ctx, t, f, a, b)
	})
}

// netlinkMonitor prints every change of links, addresses, routes, rules and bridge VLANs in a node, seen from outside the agent.
type netlinkMonitor struct {
	out  *watcher
	stop func()
}

func (m netlinkMonitor) text() string {
	var kept []string
	for line := range strings.Lines(m.out.String()) {
		if !strings.Contains(line, "monitoring") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// monitorNetlink starts a monitor and returns once it listens.
func monitorNetlink(ctx context.Context, t *testing.T, f *fabric.Fabric, node string) netlinkMonitor {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	m := netlinkMonitor{out: &watcher{word: "monitoring", seen: make(chan struct{})}}
	var done sync.WaitGroup
	done.Go(func() {
		_, _ = f.Lab.ExecStream(ctx, node, []string{"sh", "-c", "bridge monitor vlan & ip -o monitor link address route rule & sleep 0.5; echo monitoring; wait"}, nil, m.out, m.out)
	})
	m.stop = func() { cancel(); done.Wait() }
	t.Cleanup(m.stop)
	select {
	case <-m.out.seen:
	case <-time.After(20 * time.Second):
		t.Fatalf("the monitor on %s does not start: %s", node, m.out)
	}
	return m
}

// awaitAgent waits until an agent that started after since has reported.
func awaitAgent(ctx context.Context, t *testing.T, f *fabric.Fabric, node string, since time.Time) {
	t.Helper()
	await(ctx, t, "the agent of "+node+" is back", func(ctx context.Context) error {
		services, err := f.Lab.Services(ctx, node)
		if err != nil {
			return err
		}
		for _, s := range services {
			if s.Name == "agent" && s.Running && s.Since.After(since.Add(-time.Minute)) && s.Starts > 1 {
				sw, err := f.API.Switches.GetSwitch(ctx, &apiv1.GetSwitchRequest{Id: node})
				if err != nil {
					return err
				}
				if !sw.Alive || sw.Status.GetState() != apiv1.AgentState_AGENT_STATE_FOLLOWING {
					return fmt.Errorf("%s: alive %v, %v", node, sw.Alive, sw.Status)
				}
				return nil
			}
		}
		return fmt.Errorf("the agent of %s does not run", node)
	})
}

// logMarks are the sizes of FRR's logs, a line each: file and bytes.
func logMarks(ctx context.Context, t *testing.T, f *fabric.Fabric, node string) string {
	t.Helper()
	return sh(ctx, t, f, node, "wc -c /var/log/frr/*.log | grep -v total")
}

// configured are the configuration commands that FRR logged since marks were taken.
func configured(ctx context.Context, t *testing.T, f *fabric.Fabric, node, marks string) []string {
	t.Helper()
	var out []string
	for mark := range strings.Lines(marks) {
		fields := strings.Fields(mark)
		text := sh(ctx, t, f, node, `tail -c +%s %s | grep -E 'vty.*(\(config|configure terminal|XFRR_start)' || true`, fields[0], fields[1])
		for line := range strings.Lines(text) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}
