package e2e

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/fabric"
	"github.com/pointsman/pointsman/test/lab"
)

// TestSecondPassIsSilent: an agent that starts anew on a converged switch writes nothing, to the kernel, to FRR, or to what the switch keeps;
// on a leaf of each network OS that the first rack has.
func TestSecondPassIsSilent(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		network(ctx, t, f, "silent", "10.1.0.0/24", "fd01::/64")
		a := allocate(ctx, t, f, "silent", "machine01")
		b := allocate(ctx, t, f, "silent", "machine04")
		tried := map[lab.OS]bool{}
		for _, leaf := range []string{"leaf01", "leaf02"} {
			if os := f.Switch(leaf).OS; !tried[os] {
				tried[os] = true
				silentSecondPass(ctx, t, f, leaf)
			}
		}
		reach(ctx, t, f, a, b, 0)
		release(ctx, t, f, a, b)
	})
}

func silentSecondPass(ctx context.Context, t *testing.T, f *fabric.Fabric, leaf string) {
	t.Helper()
	await(ctx, t, leaf+" has tidied up", func(ctx context.Context) error { return idle(ctx, f, leaf) })
	sh(ctx, t, f, leaf, "vtysh -c 'configure terminal' -c 'log commands'")
	defer sh(context.WithoutCancel(ctx), t, f, leaf, "vtysh -c 'configure terminal' -c 'no log commands'")

	// The control: FRR's log shows a configuration command.
	marks := logMarks(ctx, t, f, leaf)
	sh(ctx, t, f, leaf, "vtysh -c 'configure terminal' -c 'bfd' -c 'profile control' -c 'exit' -c 'no profile control'")
	if commands := configured(ctx, t, f, leaf, marks); len(commands) == 0 {
		t.Fatal("the control: FRR's log shows no configuration command")
	}
	monitor := monitorNetlink(ctx, t, f, leaf)
	marks = logMarks(ctx, t, f, leaf)
	kept := keptBySwitch(ctx, t, f, leaf)
	since := time.Now()
	if err := f.Lab.Kill(ctx, leaf, "agent", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitAgent(ctx, t, f, leaf, since)
	time.Sleep(3 * time.Second) // a watch over time, not a wait for something
	monitor.assertNoWrite(t, leaf)
	if commands := configured(ctx, t, f, leaf, marks); len(commands) > 0 {
		t.Errorf("a second pass on %s configured FRR:\n%s", leaf, strings.Join(commands, "\n"))
	}
	if now := keptBySwitch(ctx, t, f, leaf); now != kept {
		t.Errorf("a second pass wrote what %s keeps, which was\n%sand is\n%s", leaf, kept, now)
	}
	monitor.stop()
}

// keptBySwitch changes with every writing, whatever is written, of what a network OS keeps beside kernel and FRR: SONiC's rows and file, and the
// file of Cumulus Linux.
func keptBySwitch(ctx context.Context, t *testing.T, f *fabric.Fabric, leaf string) string {
	t.Helper()
	var kept string
	switch os := f.Switch(leaf).OS; os {
	case lab.SONiC:
		kept = sh(ctx, t, f, leaf, "redis-cli info commandstats | grep -oE '^cmdstat_(h?set|h?del|hmset|unlink|eval|flushdb)[^:]*:calls=[0-9]+'; stat -c '%%n %%i %%y' /etc/sonic/config_db.json")
		if !strings.Contains(kept, "hset:calls=") {
			t.Fatalf("the control: Redis on %s has seen no row written: %s", leaf, kept)
		}
	case lab.Cumulus:
		kept = sh(ctx, t, f, leaf, "stat -c '%%n %%i %%y' /etc/network/interfaces")
	}
	return kept
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
