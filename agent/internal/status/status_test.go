package status

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/agent/internal/etcdtest"
	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/pkg/etcdaccess"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

const leaf = "leaf01"

func write(t *testing.T, endpoint string) (w *Writer, stop func()) {
	t.Helper()
	client, err := intent.Dial(etcdaccess.Access{Endpoints: []string{endpoint}}, "", slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	w = New(leaf, client, slog.Default())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			client.Close()
		}
	}
	t.Cleanup(stop)
	return w, stop
}

// await reads all of the switch's keys until ok.
func await(t *testing.T, c *clientv3.Client, what string, ok func(map[string]string) bool) map[string]string {
	t.Helper()
	var got map[string]string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		got = map[string]string{}
		r, err := c.Get(t.Context(), keys.Prefix, clientv3.WithPrefix())
		if err != nil {
			continue
		}
		for _, kv := range r.Kvs {
			got[string(kv.Key)] = string(kv.Value)
		}
		if ok(got) {
			return got
		}
	}
	t.Fatalf("%s: not within 20 s; stored: %v", what, got)
	return nil
}

func has(want ...string) func(map[string]string) bool {
	slices.Sort(want)
	return func(got map[string]string) bool { return slices.Equal(slices.Sorted(maps.Keys(got)), want) }
}

func ports(names ...string) map[string]netmodel.PortStatus {
	out := map[string]netmodel.PortStatus{}
	for _, n := range names {
		out[n] = netmodel.PortStatus{Port: n, AppliedGeneration: 1, Mode: netmodel.ModeProvisioning, AppliedTime: time.Now()}
	}
	return out
}

func discovery(port, chassis string) netmodel.Discovery {
	return netmodel.Discovery{Switch: leaf, Port: port, Neighbours: []netmodel.Neighbour{{ChassisID: chassis, FirstSeen: time.Now()}}}
}

func TestWritesOnChangeOnlyAndCleansUp(t *testing.T) {
	server := etcdtest.Start(t, etcdtest.FreeAddress(t), t.TempDir())
	etcd := server.Client(t)
	// From an earlier life: a port that is gone, a session that is no more, a neighbour on a port that is there.
	etcdtest.Put(t, etcd, keys.PortStatus(leaf, "swp9"), []byte(`{"port":"swp9"}`))
	etcdtest.Put(t, etcd, keys.SessionStatus(leaf, "swp1"), []byte(`{"port":"swp1"}`))
	etcdtest.Put(t, etcd, keys.Discovery(leaf, "swp1"), []byte(`{"port":"swp1"}`))
	etcdtest.Put(t, etcd, keys.Discovery(leaf, "swp9"), []byte(`{"port":"swp9"}`))
	etcdtest.Put(t, etcd, keys.PortStatus("leaf02", "swp9"), []byte(`{"port":"swp9"}`))
	others := keys.PortStatus("leaf02", "swp9")

	w, stop := write(t, server.Endpoint)
	w.SetPorts(ports("swp1", "swp2"))
	await(t, etcd, "ports", has(others, keys.PortStatus(leaf, "swp1"), keys.PortStatus(leaf, "swp2"),
		keys.SessionStatus(leaf, "swp1"), keys.Discovery(leaf, "swp1"), keys.Discovery(leaf, "swp9")))
	w.SetSessions(nil)
	w.SetAgent(netmodel.SwitchStatus{Switch: leaf, State: netmodel.AgentFollowing, Ports: []string{"swp1", "swp2"}})
	w.SetDiscovery(discovery("swp2", "m1"))
	all := []string{others, keys.AgentStatus(leaf), keys.PortStatus(leaf, "swp1"), keys.PortStatus(leaf, "swp2"), keys.Discovery(leaf, "swp1"), keys.Discovery(leaf, "swp2")}
	await(t, etcd, "all", has(all...))

	// The same again, at other times, by this agent and by the next one, writes nothing.
	before := revision(t, etcd)
	again := func(w *Writer) {
		w.SetPorts(ports("swp1", "swp2"))
		w.SetSessions(map[string]netmodel.SessionStatus{})
		w.SetAgent(netmodel.SwitchStatus{Switch: leaf, State: netmodel.AgentFollowing, Ports: []string{"swp1", "swp2"}, Drift: []string{}})
		w.SetDiscovery(discovery("swp2", "m1"))
	}
	again(w)
	stop()
	w, _ = write(t, server.Endpoint)
	again(w)
	changed := ports("swp1", "swp2")
	changed["swp2"] = netmodel.PortStatus{Port: "swp2", AppliedGeneration: 2, Mode: netmodel.ModeVRF, VRF: "Vrf1"}
	w.SetPorts(changed) // the writer has come so far when this is there
	await(t, etcd, "the change", func(m map[string]string) bool {
		return len(m) == len(all) && strings.Contains(m[keys.PortStatus(leaf, "swp2")], `"Vrf1"`)
	})
	if after := revision(t, etcd); after != before+1 {
		t.Errorf("revision %d became %d; one key changed", before, after)
	}

	w.SetAgent(netmodel.SwitchStatus{Switch: leaf, State: netmodel.AgentFollowing, Ports: []string{"swp1"}})
	await(t, etcd, "a port is gone", func(m map[string]string) bool { return m[keys.Discovery(leaf, "swp2")] == "" })

	// It comes back: its neighbour is heard, once, before a pass has seen the port.
	w.SetDiscovery(netmodel.Discovery{Switch: leaf, Port: "swp2"})
	w.SetDiscovery(discovery("swp2", "m2"))
	w.SetPorts(ports("swp1", "swp2", "swp3")) // the writer has come so far when this is there
	await(t, etcd, "another port", func(m map[string]string) bool {
		return m[keys.PortStatus(leaf, "swp3")] != "" && m[keys.Discovery(leaf, "swp2")] == ""
	})
	w.SetAgent(netmodel.SwitchStatus{Switch: leaf, State: netmodel.AgentFollowing, Ports: []string{"swp1", "swp2"}})
	await(t, etcd, "the neighbour of a port that came back", func(m map[string]string) bool { return strings.Contains(m[keys.Discovery(leaf, "swp2")], "m2") })
}

func revision(t *testing.T, c *clientv3.Client) int64 {
	t.Helper()
	r, err := c.Get(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	return r.Header.Revision
}

// What is reported while etcd is away is written when it comes, even if it comes back empty.
func TestNobodyWaitsForEtcd(t *testing.T) {
	address := etcdtest.FreeAddress(t)
	w, _ := write(t, "http://"+address)
	w.SetPorts(ports("swp1"))
	server := etcdtest.Start(t, address, t.TempDir())
	await(t, server.Client(t), "after etcd came", has(keys.PortStatus(leaf, "swp1")))
	server.Stop()
	began := time.Now()
	w.SetPorts(ports("swp1", "swp2"))
	if took := time.Since(began); took > 100*time.Millisecond {
		t.Errorf("reporting took %v without etcd", took)
	}
	server = etcdtest.Start(t, address, t.TempDir())
	await(t, server.Client(t), "on an empty etcd", has(keys.PortStatus(leaf, "swp1"), keys.PortStatus(leaf, "swp2")))
}

func TestManyKeysGoInSeveralTransactions(t *testing.T) {
	server := etcdtest.Start(t, etcdtest.FreeAddress(t), t.TempDir())
	etcd := server.Client(t)
	probes := map[string]netmodel.ProbeStatus{}
	for i := range 3*batch + 7 {
		name := "a" + string(rune('0'+i%10)) + string(rune('a'+i/10%26)) + string(rune('a'+i/260))
		probes[name] = netmodel.ProbeStatus{Allocation: name, Generation: 1}
	}
	w, _ := write(t, server.Endpoint)
	w.SetProbes(probes)
	await(t, etcd, "all probes", func(m map[string]string) bool { return len(m) == len(probes) })
	w.SetProbes(nil)
	await(t, etcd, "none", has())
}

func TestHeartbeatComesBack(t *testing.T) {
	address := etcdtest.FreeAddress(t)
	server := etcdtest.Start(t, address, t.TempDir())
	client, err := intent.Dial(etcdaccess.Access{Endpoints: []string{server.Endpoint}}, "", slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	h := Heartbeat{Switch: leaf, Client: client, TTL: 2 * time.Second, Alive: netmodel.Alive{BootID: "boot-1", Since: time.Now()}, Log: slog.Default()}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	etcd := server.Client(t)
	await(t, etcd, "heartbeat", has(keys.Alive(leaf)))
	leases, err := etcd.Leases(t.Context())
	if err != nil || len(leases.Leases) != 1 {
		t.Fatalf("leases %v, %v", leases, err)
	}
	if _, err := etcd.Revoke(t.Context(), leases.Leases[0].ID); err != nil { // as if it had expired
		t.Fatal(err)
	}
	await(t, etcd, "a new lease", has(keys.Alive(leaf)))
	server.Stop()
	server = etcdtest.Start(t, address, t.TempDir())
	etcd = server.Client(t)
	await(t, etcd, "on an empty etcd", has(keys.Alive(leaf)))
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	await(t, etcd, "silent, so away", has())
}
