package e2e

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/fabric"
)

// TestAgentKilledInTheMiddle: an agent that is killed at any moment of an allocation, a move or a release converges to the same end
// once it is back, and another tenant loses no packet.
func TestAgentKilledInTheMiddle(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		p := newPair(ctx, t, f, "killed-other")
		network(ctx, t, f, "killed-a", "10.2.0.0/24", "fd02::/64")
		network(ctx, t, f, "killed-b", "10.3.0.0/24", "fd03::/64")
		worst := p.measured(ctx, t, f, "another tenant, while the agent of leaf01 is killed", func() {
			for _, after := range []time.Duration{20, 60, 120, 250} { // ms: a change is carried out in some 300
				killedOnce(ctx, t, f, after*time.Millisecond)
			}
		})
		if worst.Lost > 0 {
			t.Errorf("another tenant lost %d packets, longest gap %v", worst.Lost, worst.Gap)
		}
		release(ctx, t, f, p.a, p.b)
	})
}

// killedOnce takes machine02 through allocation, move and release, and kills the agent of leaf01 some time into each.
func killedOnce(ctx context.Context, t *testing.T, f *fabric.Fabric, after time.Duration) {
	t.Helper()
	kill := func() {
		t.Helper()
		time.Sleep(after)
		if err := f.Lab.Kill(ctx, "leaf01", "agent", syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	a, err := f.API.Allocate(ctx, "killed-a", "machine02")
	if err != nil {
		t.Fatal(err)
	}
	kill()
	waitPhase(ctx, t, f, a.Id, apiv1.Phase_PHASE_REACHABLE)
	if a, err = f.API.Move(ctx, a.Id, "killed-b"); err != nil {
		t.Fatal(err)
	}
	kill()
	waitPhase(ctx, t, f, a.Id, apiv1.Phase_PHASE_REACHABLE)
	if err := f.API.Release(ctx, a.Id); err != nil {
		t.Fatal(err)
	}
	kill()
	await(ctx, t, "the machine is free", func(ctx context.Context) error { return free(ctx, f, "machine02") })
}

// TestControlAway: with the control plane killed, and with a leaf's management cut and its agent killed on top, no packet is lost; what
// was asked for meanwhile is done once both are back.
func TestControlAway(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		p := newPair(ctx, t, f, "control-away")
		lossless := func(what string, do func() error) {
			t.Helper()
			worst := p.measured(ctx, t, f, what, func() {
				if err := do(); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
			})
			if worst.Lost > 0 {
				t.Errorf("%s: %d packets lost, longest gap %v", what, worst.Lost, worst.Gap)
			}
		}
		lossless("control plane and etcd away for 15 s", func() error {
			err := f.CP.Kill()
			time.Sleep(15 * time.Second) // longer than a heartbeat lives
			return errors.Join(err, f.StartControlPlane(ctx, ""))
		})
		lossless("management of leaf01 cut, its agent killed", func() error {
			if err := f.Lab.PartitionManagement(ctx, "leaf01", true); err != nil {
				return err
			}
			err := f.Lab.Kill(ctx, "leaf01", "agent", syscall.SIGKILL)
			time.Sleep(12 * time.Second) // the new agent has nothing but its disk
			return errors.Join(err, f.Lab.PartitionManagement(ctx, "leaf01", false))
		})
		release(ctx, t, f, p.a, p.b)
	})
}
