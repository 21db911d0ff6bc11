package intent

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/agent/internal/etcdtest"
	"github.com/pointsman/pointsman/pkg/etcdaccess"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// agent is a Follower that runs, and what it emitted.
type agent struct {
	t         *testing.T
	f         *Follower
	snapshots chan Snapshot
	stop      func()
}

func run(t *testing.T, endpoint, stateDir string, onEmit func(Snapshot)) *agent {
	t.Helper()
	client, err := Dial(etcdaccess.Access{Endpoints: []string{endpoint}}, "", slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{t: t, f: Open(leaf, stateDir, client, slog.Default()), snapshots: make(chan Snapshot, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() {
		done <- a.f.Run(ctx, func(s Snapshot) {
			a.snapshots <- s
			if onEmit != nil {
				onEmit(s)
			}
		})
	}()
	go func() { done <- a.f.ServeAdoption(ctx) }()
	stopped := false
	a.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		client.Close()
	}
	t.Cleanup(a.stop)
	return a
}

// await returns the first snapshot for which ok holds.
func (a *agent) await(what string, ok func(Snapshot) bool) Snapshot {
	a.t.Helper()
	deadline := time.After(20 * time.Second)
	var seen Snapshot
	for {
		select {
		case seen = <-a.snapshots:
			if ok(seen) {
				return seen
			}
		case <-deadline:
			a.t.Fatalf("%s: not within 20 s; the last snapshot: %s %q, ports %v", what, seen.State, seen.Reason, seen.Intent.Ports)
		}
	}
}

func generation(port string, g uint64) func(Snapshot) bool {
	return func(s Snapshot) bool {
		return s.State == netmodel.AgentFollowing && s.Intent.Ports[port].Generation == g
	}
}

func holding(reason string) func(Snapshot) bool {
	return func(s Snapshot) bool { return s.State == netmodel.AgentHolding && strings.Contains(s.Reason, reason) }
}

func putConfig(t *testing.T, c *clientv3.Client, store string) int64 {
	t.Helper()
	return etcdtest.Put(t, c, keys.SwitchConfig(leaf), encoded(t, wire.SwitchConfigCodec, config(store, "swp1", "swp2")))
}

func putPort(t *testing.T, c *clientv3.Client, port string, g uint64) int64 {
	t.Helper()
	return etcdtest.Put(t, c, keys.PortIntent(leaf, port), encoded(t, wire.PortIntentCodec, intentOf(port, g, netmodel.ModeVRF)))
}

func TestFollowsAndRestartsFromDisk(t *testing.T) {
	address, state := etcdtest.FreeAddress(t), t.TempDir()
	server := etcdtest.Start(t, address, t.TempDir())
	etcd := server.Client(t)
	a := run(t, server.Endpoint, state, nil)
	a.await("nothing there", holding("no configuration"))
	putConfig(t, etcd, "store-1")
	putPort(t, etcd, "swp1", 1)
	s := a.await("first intent", generation("swp1", 1))
	if s.Received["swp1"].IsZero() || !s.Known() {
		t.Errorf("snapshot %+v", s)
	}
	before := time.Now()
	putPort(t, etcd, "swp1", 2)
	s = a.await("change", generation("swp1", 2))
	if s.Received["swp1"].Before(before) {
		t.Error("the time of receipt is of an earlier generation")
	}
	etcdtest.Put(t, etcd, keys.Probe(leaf, "a1"), encoded(t, wire.ProbeCodec, netmodel.Probe{Allocation: "a1", Generation: 1, VRF: "Vrf1"}))
	a.await("probe", func(s Snapshot) bool { return s.Intent.Probes["a1"].Generation == 1 })
	a.stop()
	server.Stop()

	// Without etcd, the switch boots from disk.
	b := run(t, "http://"+address, state, nil)
	s = b.await("from disk", generation("swp1", 2))
	if s.Intent.Config.StoreUUID != "store-1" || !s.FromDisk {
		t.Errorf("snapshot %+v", s)
	}
}

func TestAbsenceDismantlesNothing(t *testing.T) {
	server := etcdtest.Start(t, etcdtest.FreeAddress(t), t.TempDir())
	etcd := server.Client(t)
	a := run(t, server.Endpoint, t.TempDir(), nil)
	putPort(t, etcd, "swp1", 1)
	putConfig(t, etcd, "store-1")
	a.await("intent", generation("swp1", 1))
	if _, err := etcd.Delete(t.Context(), keys.SwitchConfig(leaf)); err != nil {
		t.Fatal(err)
	}
	s := a.await("configuration deleted", holding("no configuration"))
	if s.Intent.Ports["swp1"].Generation != 1 || s.Intent.Config.StoreUUID != "store-1" {
		t.Errorf("in force: %+v", s.Intent)
	}
	if _, err := etcd.Delete(t.Context(), keys.PortIntent(leaf, "swp1")); err != nil {
		t.Fatal(err)
	}
	putConfig(t, etcd, "store-1")
	a.await("port deleted, configuration back", generation("swp1", 1))
}

// The store is compacted between the list and the watch: the watch is refused, and a list catches up.
func TestSurvivesCompaction(t *testing.T) {
	server := etcdtest.Start(t, etcdtest.FreeAddress(t), t.TempDir())
	etcd := server.Client(t)
	putConfig(t, etcd, "store-1")
	putPort(t, etcd, "swp1", 1)
	compacted := false
	a := run(t, server.Endpoint, t.TempDir(), func(s Snapshot) {
		if compacted {
			return
		}
		compacted = true
		putPort(t, etcd, "swp1", 2)
		rev := putPort(t, etcd, "swp1", 3)
		if _, err := etcd.Compact(context.Background(), rev, clientv3.WithCompactPhysical()); err != nil {
			t.Error(err)
		}
	})
	a.await("what was compacted", generation("swp1", 3))
	rev := putPort(t, etcd, "swp1", 4)
	a.await("the watch goes on", generation("swp1", 4))
	if _, err := etcd.Compact(t.Context(), rev); err != nil {
		t.Fatal(err)
	}
	putPort(t, etcd, "swp1", 5)
	a.await("compaction under a running watch", generation("swp1", 5))
}

// An etcd that comes back empty, and then with another store, at the same address: nothing changes until an operator says so.
func TestForeignStoreIsHeldUntilAdopted(t *testing.T) {
	address, state := etcdtest.FreeAddress(t), t.TempDir()
	server := etcdtest.Start(t, address, t.TempDir())
	etcd := server.Client(t)
	a := run(t, server.Endpoint, state, nil)
	putConfig(t, etcd, "store-1")
	putPort(t, etcd, "swp1", 5)
	a.await("intent", generation("swp1", 5))
	server.Stop()

	server = etcdtest.Start(t, address, t.TempDir())
	s := a.await("empty etcd", holding("no configuration"))
	if s.Intent.Ports["swp1"].Generation != 5 {
		t.Errorf("in force: %+v", s.Intent.Ports)
	}
	if answer := adopt(t, state); !strings.Contains(answer, "nothing that could be adopted") {
		t.Errorf("adopting an empty store: %q", answer)
	}
	etcd = server.Client(t)
	putPort(t, etcd, "swp1", 1)
	putConfig(t, etcd, "store-2")
	s = a.await("foreign store", holding("store-2"))
	if s.Intent.Ports["swp1"].Generation != 5 || s.Intent.Config.StoreUUID != "store-1" {
		t.Errorf("in force: %+v", s.Intent)
	}
	// A restart of the agent does not forget what it knew.
	a.stop()
	b := run(t, server.Endpoint, state, nil)
	b.await("from disk", generation("swp1", 5))
	b.await("foreign store after a restart", holding("store-2"))
	if answer := adopt(t, state); !strings.Contains(answer, "adopted store store-2") {
		t.Errorf("answer %q", answer)
	}
	b.await("adopted", generation("swp1", 1))
	putPort(t, etcd, "swp1", 2)
	b.await("followed", generation("swp1", 2))
	if _, err := os.Stat(filepath.Join(state, "adopt")); err == nil {
		t.Error("the note of adoption waits for the next foreign store")
	}
	if answer := adopt(t, state); !strings.Contains(answer, "nothing to adopt") {
		t.Errorf("answer %q", answer)
	}
}

// The store of an hour ago, restored from a copy: its revision is lower than what the agent has seen.
func TestOlderStoreIsHeld(t *testing.T) {
	address, state, data, old := etcdtest.FreeAddress(t), t.TempDir(), t.TempDir(), t.TempDir()
	server := etcdtest.Start(t, address, data)
	etcd := server.Client(t)
	putConfig(t, etcd, "store-1")
	putPort(t, etcd, "swp1", 1)
	server.Stop()
	copyDir(t, data, old)
	server = etcdtest.Start(t, address, data)
	a := run(t, server.Endpoint, state, nil)
	a.await("intent", generation("swp1", 1))
	putPort(t, server.Client(t), "swp1", 2)
	a.await("change", generation("swp1", 2))
	server.Stop()

	server = etcdtest.Start(t, address, old)
	s := a.await("older store", holding("revision"))
	if s.Intent.Ports["swp1"].Generation != 2 {
		t.Errorf("in force: %+v", s.Intent.Ports)
	}
	a.stop()
	// Adoption also works while no agent runs.
	if answer := adopt(t, state); !strings.Contains(answer, "when it starts") {
		t.Errorf("answer %q", answer)
	}
	b := run(t, server.Endpoint, state, nil)
	b.await("adopted at start", generation("swp1", 1))
}

func TestUnreadableFileIsSetAside(t *testing.T) {
	state := t.TempDir()
	if err := os.WriteFile(path(state), []byte(`{"version":9}`), 0o600); err != nil {
		t.Fatal(err)
	}
	f := Open(leaf, state, nil, slog.Default())
	if f.last.known() {
		t.Error("an intent was read from a file of another version")
	}
	if _, err := os.Stat(path(state) + ".unreadable"); err != nil {
		t.Error(err)
	}
}

func adopt(t *testing.T, state string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	answer, err := RequestAdoption(ctx, state)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	err := fs.WalkDir(os.DirFS(to), ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(filepath.Join(to, p), 0o700) // etcd insists
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
