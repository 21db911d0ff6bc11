package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/fabric"
)

// etcdAwayVar says how long TestControlAway keeps control plane and etcd away: `make e2e` says 5m; a minute otherwise. A minute is
// longer than any time limit of an agent: heartbeats, keepalives, the nudge of a session, the full pass.
const (
	etcdAwayVar     = "POINTSMAN_ETCD_AWAY"
	etcdAwayDefault = time.Minute
)

func etcdAway(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(etcdAwayVar)
	if text == "" {
		return etcdAwayDefault
	}
	away, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s: %v", etcdAwayVar, err)
	}
	return away
}

// lossless runs do while packets go both ways, and asserts that all of them came.
func (p pair) lossless(ctx context.Context, t *testing.T, f *fabric.Fabric, what string, do func()) {
	t.Helper()
	if worst := p.measured(ctx, t, f, what, do); worst.Lost > 0 {
		t.Errorf("%s: %d packets lost, longest gap %v", what, worst.Lost, worst.Gap)
	}
}

// TestControlAway: control plane and etcd are killed, the management of a leaf is cut on top, and the agents of three switches are
// killed: they start with nothing but their disks, one of them with an etcd that is silent, two with one that refuses. No packet is lost,
// no netlink write made and no word said to FRR, then and when etcd is back.
func TestControlAway(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		p := newPair(ctx, t, f, "control-away")
		away := etcdAway(t)
		if away < 5*time.Minute {
			t.Logf("etcd is away for %v; set %s=5m for the long run", away, etcdAwayVar)
		}
		restarted := []string{"leaf01", "leaf03", "spine01"}
		still := watchUntouched(ctx, t, f, restarted...)
		p.lossless(ctx, t, f, fmt.Sprintf("control plane and etcd away for %v, management of leaf01 cut, the agents of %s killed", away, strings.Join(restarted, ", ")), func() {
			back := time.Now().Add(away)
			if err := errors.Join(f.CP.Kill(), f.Lab.PartitionManagement(ctx, "leaf01", true)); err != nil {
				t.Fatal(err)
			}
			since := time.Now()
			for _, node := range restarted {
				if err := f.Lab.Kill(ctx, node, "agent", syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			for _, leaf := range []string{"leaf01", "leaf03"} {
				awaitFromDisk(ctx, t, f, leaf, p)
			}
			time.Sleep(time.Until(back))
			if err := errors.Join(f.StartControlPlane(ctx, ""), f.Lab.PartitionManagement(ctx, "leaf01", false)); err != nil {
				t.Fatal(err)
			}
			for _, node := range restarted {
				awaitAgent(ctx, t, f, node, since)
			}
		})
		still.end(ctx, t)
		reach(ctx, t, f, p.a, p.b, 0)
		// And they obey again.
		release(ctx, t, f, allocate(ctx, t, f, "control-away", "machine02"))
		release(ctx, t, f, p.a, p.b)
	})
}

// fromDisk is said of an intent while the store has not been reached since the agent started.
var fromDisk = regexp.MustCompile(`"fromDisk": *true`)

// awaitFromDisk waits until a leaf's agent has started anew without etcd and says that its port of the pair is as it must be.
func awaitFromDisk(ctx context.Context, t *testing.T, f *fabric.Fabric, leaf string, p pair) {
	t.Helper()
	await(ctx, t, "the agent of "+leaf+" rests on its disk", func(ctx context.Context) error {
		s, err := statusOn(ctx, f, leaf)
		if err != nil {
			return err
		}
		if !s.Running || s.Etcd.Connected == nil || *s.Etcd.Connected {
			return fmt.Errorf("agent %+v", s)
		}
		if text, err := f.Lab.Run(ctx, leaf, "pointsman-agent", "intent", "-o", "json"); err != nil || !fromDisk.MatchString(text) {
			return errors.Join(err, errors.New("its intent is not from disk"))
		}
		for _, port := range s.Ports {
			if port.Allocation == p.a.Id || port.Allocation == p.b.Id {
				if port.VRF != p.vrf || port.Error != "" || port.AppliedGeneration != port.WantedGeneration || port.Session == nil || !port.Session.Established {
					return fmt.Errorf("port %+v", port)
				}
				return nil
			}
		}
		return fmt.Errorf("no port of the pair in %+v", s.Ports)
	})
}

// TestEtcdCompacted: a move is asked for while one leaf is cut off and the other's agent stands still, and etcd forgets the revisions
// in between. Both catch up, with a list, and nobody loses a packet.
func TestEtcdCompacted(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		p := newPair(ctx, t, f, "compacted-other")
		network(ctx, t, f, "compacted-a", "10.2.0.0/24", "fd02::/64")
		network(ctx, t, f, "compacted-b", "10.3.0.0/24", "fd03::/64")
		a := allocate(ctx, t, f, "compacted-a", "machine02")
		b := allocate(ctx, t, f, "compacted-b", "machine05")
		p.lossless(ctx, t, f, "another tenant, while etcd is compacted under the agents of leaf01 and leaf02", func() {
			if err := errors.Join(f.Lab.PartitionManagement(ctx, "leaf01", true), f.Lab.Freeze(ctx, "leaf02", "agent")); err != nil {
				t.Fatal(err)
			}
			before := revision(ctx, t, f)
			moved, err := f.API.Move(ctx, a.Id, "compacted-b")
			if err != nil {
				t.Fatal(err)
			}
			a = moved
			await(ctx, t, "both leaves are missed", func(ctx context.Context) error {
				return waitsFor(ctx, f, a.Id, "leaf01 to apply generation", "leaf02 to apply generation", "it is not live")
			})
			compact(ctx, t, f, before)
			if err := errors.Join(f.Lab.PartitionManagement(ctx, "leaf01", false), f.Lab.Thaw(ctx, "leaf02", "agent")); err != nil {
				t.Fatal(err)
			}
			waitPhase(ctx, t, f, a.Id, apiv1.Phase_PHASE_REACHABLE)
		})
		reach(ctx, t, f, a, b, 0)
		release(ctx, t, f, a, b, p.a, p.b)
	})
}

// compact makes etcd forget all revisions before the present one, and shows that it has forgotten the one after a given one, where an
// agent that heard nothing since would go on.
func compact(ctx context.Context, t *testing.T, f *fabric.Fabric, heard int64) {
	t.Helper()
	now := revision(ctx, t, f)
	client := etcd(t, f)
	if _, err := client.Compact(ctx, now, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Get(ctx, "/pointsman/v1/store", clientv3.WithRev(heard+1)); err == nil {
		t.Fatalf("the control: etcd still has revision %d after compaction at %d", heard+1, now)
	}
	t.Logf("etcd is compacted at revision %d; the agents heard up to %d", now, heard)
}

func revision(ctx context.Context, t *testing.T, f *fabric.Fabric) int64 {
	t.Helper()
	got, err := etcd(t, f).Get(ctx, "/pointsman/v1/store")
	if err != nil {
		t.Fatal(err)
	}
	return got.Header.Revision
}

// receiptOf is an allocation's receipt as it is now.
func receiptOf(ctx context.Context, f *fabric.Fabric, allocation string) (*apiv1.Receipt, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := f.API.Allocations.WatchReceipt(ctx, &apiv1.WatchReceiptRequest{Project: fabric.Project, Id: allocation})
	if err != nil {
		return nil, err
	}
	return stream.Recv()
}

// waitsFor says which of some words a receipt does not name among what it waits for.
func waitsFor(ctx context.Context, f *fabric.Fabric, allocation string, words ...string) error {
	r, err := receiptOf(ctx, f, allocation)
	if err != nil {
		return err
	}
	for _, w := range words {
		if !strings.Contains(strings.Join(r.WaitingFor, "; "), w) {
			return fmt.Errorf("the receipt does not say %q: %s", w, fabric.Describe(r))
		}
	}
	return nil
}
