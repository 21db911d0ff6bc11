package e2e

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/fabric"
)

// TestLeafDownDuringRelease: a machine is free only once both leaves have proven it, so that a leaf that is away keeps it away.
func TestLeafDownDuringRelease(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		network(ctx, t, f, "away", "10.1.0.0/24", "fd01::/64")
		a := allocate(ctx, t, f, "away", "machine01")
		if err := f.Lab.Service(ctx, "leaf02", "agent", "stop"); err != nil {
			t.Fatal(err)
		}
		if err := f.API.Release(ctx, a.Id); err != nil {
			t.Fatal(err)
		}
		await(ctx, t, "leaf01 proves its half", func(ctx context.Context) error {
			m, err := f.API.Machine(ctx, "machine01")
			if err == nil && (len(m.PendingRelease) != 1 || m.PendingRelease[0].Switch != "leaf02") {
				err = fmt.Errorf("pending: %v", m.PendingRelease)
			}
			return err
		})
		deadline := time.Now().Add(15 * time.Second) // longer than a heartbeat: the leaf's lease is gone too
		for time.Now().Before(deadline) {
			m, err := f.API.Machine(ctx, "machine01")
			if err != nil {
				t.Fatal(err)
			}
			if m.State == apiv1.MachineState_MACHINE_STATE_FREE {
				t.Fatal("the machine is free though leaf02 is away")
			}
			time.Sleep(time.Second)
		}
		if _, err := f.API.Allocate(ctx, "away", "machine01"); err == nil {
			t.Error("the machine was allocated though leaf02 is away")
		} else if !strings.Contains(err.Error(), "leaf02") {
			t.Errorf("the error does not name the leaf that is away: %v", err)
		}
		if err := f.Lab.Service(ctx, "leaf02", "agent", "start"); err != nil {
			t.Fatal(err)
		}
		await(ctx, t, "the machine is free", func(ctx context.Context) error { return free(ctx, f, "machine01") })
		release(ctx, t, f, allocate(ctx, t, f, "away", "machine01"))
	})
}

func free(ctx context.Context, f *fabric.Fabric, machine string) error {
	m, err := f.API.Machine(ctx, machine)
	if err == nil && m.State != apiv1.MachineState_MACHINE_STATE_FREE {
		err = fmt.Errorf("machine %s is %v: %v %v", machine, m.State, m.Faults, m.PendingRelease)
	}
	return err
}

// TestEmptyStoreChangesNothing: the control plane restarted on an empty directory makes no agent write anything.
func TestEmptyStoreChangesNothing(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		network(ctx, t, f, "kept", "10.1.0.0/24", "fd01::/64")
		a := allocate(ctx, t, f, "kept", "machine01")
		b := allocate(ctx, t, f, "kept", "machine04")
		monitors := map[string]*netlinkMonitor{}
		for _, s := range f.SwitchNames("") {
			monitors[s] = monitorNetlink(ctx, t, f, s)
		}
		// The machines stay installed, whatever the empty store says of them.
		for _, m := range []string{a.Machine, b.Machine} {
			f.HoldMachineFile(m, true)
			defer f.HoldMachineFile(m, false)
		}
		if err := f.RestartControlPlane(ctx, t.TempDir()); err != nil {
			t.Fatal(err)
		}
		// Somebody registers the switches anew in the empty store, which is when an agent that trusts it would obey.
		if err := fabric.Register(ctx, f.API, f.Inventory); err != nil {
			t.Fatal(err)
		}
		await(ctx, t, "every agent holds", func(ctx context.Context) error {
			list, err := f.API.Switches.ListSwitches(ctx, &apiv1.ListSwitchesRequest{})
			if err != nil {
				return err
			}
			for _, s := range list.Switches {
				if s.Status.GetState() != apiv1.AgentState_AGENT_STATE_HOLDING {
					return fmt.Errorf("%s: %v", s.Id, s.Status)
				}
			}
			return nil
		})
		time.Sleep(5 * time.Second) // a watch over time, not a wait for something
		for s, m := range monitors {
			m.assertNoWrite(t, s)
			m.stop()
		}
		reach(ctx, t, f, a, b, 0)
		if err := f.RestartControlPlane(ctx, ""); err != nil {
			t.Fatal(err)
		}
		await(ctx, t, "every agent follows again", func(ctx context.Context) error {
			list, err := f.API.Switches.ListSwitches(ctx, &apiv1.ListSwitchesRequest{})
			if err != nil {
				return err
			}
			for _, s := range list.Switches {
				if !s.Alive || s.Status.GetState() != apiv1.AgentState_AGENT_STATE_FOLLOWING {
					return fmt.Errorf("%s: alive %v, %v", s.Id, s.Alive, s.Status)
				}
			}
			return nil
		})
		for _, m := range []string{a.Machine, b.Machine} {
			f.HoldMachineFile(m, false)
		}
		release(ctx, t, f, a, b)
	})
}

// TestDaemonsKilled: bgpd and zebra die, and their configuration returns.
func TestDaemonsKilled(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		n := network(ctx, t, f, "killed", "10.1.0.0/24", "fd01::/64")
		a := allocate(ctx, t, f, "killed", "machine01")
		b := allocate(ctx, t, f, "killed", "machine04")
		const leaf = "leaf01"
		before := runningConfig(ctx, t, f, leaf)
		if !strings.Contains(before, n.Vrf) {
			t.Fatalf("the control: %s is configured on %s", n.Vrf, leaf)
		}
		for _, daemons := range [][]string{{"bgpd"}, {"zebra"}, {"bgpd", "zebra"}} {
			t.Logf("kill %s", strings.Join(daemons, " and "))
			for _, d := range daemons {
				// FRR's own saved file would bring it back as well: without it, it is the agent's work.
				sh(ctx, t, f, leaf, "rm -f /etc/frr/frr.conf")
				if err := f.Lab.Kill(ctx, leaf, d, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			await(ctx, t, "FRR's configuration is as before", func(ctx context.Context) error {
				return differ(strings.Split(before, "\n"), strings.Split(runningConfig(ctx, t, f, leaf), "\n"))
			})
			for _, address := range addresses(t, a) {
				awaitHops(ctx, t, f, "leaf03", 2, fabric.Family(address), "vrf", n.Vrf, address.String())
			}
			for _, address := range addresses(t, b) {
				awaitHops(ctx, t, f, leaf, 2, fabric.Family(address), "vrf", n.Vrf, address.String())
			}
			for _, address := range addresses(t, a) {
				// The leaf's own session with the machine comes last.
				awaitHops(ctx, t, f, leaf, 1, fabric.Family(address), "vrf", n.Vrf, address.String())
				awaitPing(ctx, t, f, b.Machine, fabric.Ping{To: address})
			}
			reach(ctx, t, f, a, b, 0)
		}
		release(ctx, t, f, a, b)
	})
}

// runningConfig is what FRR runs; empty while a daemon is away.
func runningConfig(ctx context.Context, t *testing.T, f *fabric.Fabric, node string) string {
	t.Helper()
	return sh(ctx, t, f, node, "for d in zebra bgpd; do vtysh -d $d -c 'show running-config' 2>/dev/null; done; true")
}

// TestAllocationRace: of twenty allocations at once for four machines exactly four win, and nothing leaks.
func TestAllocationRace(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		network(ctx, t, f, "race", "10.1.0.0/24", "fd01::/64")
		taken := []*apiv1.Allocation{allocate(ctx, t, f, "race", "machine01"), allocate(ctx, t, f, "race", "machine04")}
		type outcome struct {
			a   *apiv1.Allocation
			err error
		}
		results := make(chan outcome)
		for range 20 {
			go func() {
				a, err := f.API.Allocate(ctx, "race", "")
				results <- outcome{a, err}
			}()
		}
		won := map[string]*apiv1.Allocation{}
		held := map[string]bool{}
		for range 20 {
			r := <-results
			if r.err != nil {
				if status.Code(r.err) != codes.ResourceExhausted {
					t.Errorf("a loser is told %v", r.err)
				}
				continue
			}
			if won[r.a.Machine] != nil {
				t.Errorf("machine %s was allocated twice", r.a.Machine)
			}
			won[r.a.Machine] = r.a
			for _, address := range addresses(t, r.a) {
				if held[address.String()] {
					t.Errorf("address %s was handed out twice", address)
				}
				held[address.String()] = true
			}
		}
		if len(won) != 4 {
			t.Errorf("%d allocations won, want 4", len(won))
		}
		ips, err := f.API.IPs.ListIPs(ctx, &apiv1.ListIPsRequest{Project: fabric.Project, Network: "race"})
		if err != nil {
			t.Fatal(err)
		}
		var inUse int
		for _, ip := range ips.Ips {
			if ip.State == apiv1.IPState_IP_STATE_HELD {
				inUse++
			}
		}
		if want := 2 * (len(won) + len(taken)); inUse != want {
			t.Errorf("%d addresses are held, want %d", inUse, want)
		}
		for _, a := range won {
			waitPhase(ctx, t, f, a.Id, apiv1.Phase_PHASE_REACHABLE)
			reach(ctx, t, f, taken[0], a, 0)
			taken = append(taken, a)
		}
		release(ctx, t, f, taken...)
	})
}
