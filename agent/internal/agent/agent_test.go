package agent

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/agent/internal/etcdtest"
	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/agent/internal/system/memory"
	"github.com/pointsman/pointsman/pkg/etcdaccess"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

const leaf = "leaf01"

var (
	vtep2  = netip.MustParseAddr("10.0.0.12")
	prefix = netip.MustParsePrefix("10.1.0.7/32")
)

// daemons is FRR's BGP: sessions come up when the test says so.
type daemons struct {
	mu       sync.Mutex
	sessions []frr.Session
}

func (d *daemons) Sessions(context.Context) ([]frr.Session, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.sessions), nil
}

func (d *daemons) up(vrf, port string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sessions = append(d.sessions, frr.Session{VRF: vrf, Interface: port, State: "Established", Established: true, RemoteAS: netmodel.FirstMachineASN})
}

func (d *daemons) EVPNOrigins(context.Context, netmodel.VNI, netip.Prefix) ([]netip.Addr, error) {
	return nil, nil
}
func (d *daemons) Hears(context.Context, string, string) (bool, error)       { return false, nil }
func (d *daemons) LostNextHops(context.Context) (map[netip.Addr]bool, error) { return nil, nil }
func (d *daemons) Version(context.Context) (string, error)                   { return "8.4.4", nil }
func (d *daemons) Watch(ctx context.Context, _ func(string)) error           { <-ctx.Done(); return nil }

func start(t *testing.T, endpoint, stateDir string, sw *memory.Switch, d *daemons) (stop func()) {
	t.Helper()
	return startWith(t, endpoint, stateDir, sw, d, func(*Config) {})
}

func startWith(t *testing.T, endpoint, stateDir string, sw *memory.Switch, d *daemons, change func(*Config)) (stop func()) {
	t.Helper()
	client, err := intent.Dial(etcdaccess.Access{Endpoints: []string{endpoint}}, "", slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	cfg := Config{
		Switch: leaf, StateDir: stateDir, System: sw, FRR: d, Etcd: client, CutOff: func(context.Context) bool { return false },
		ConfirmWindow: time.Second, FullPass: time.Minute, HeartbeatTTL: 2 * time.Second, Kernel: "6.1", BootID: "boot", Log: slog.New(slog.DiscardHandler),
	}
	change(&cfg)
	go func() { done <- Run(ctx, cfg) }()
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
	return stop
}

func put[V any](t *testing.T, c *clientv3.Client, key string, codec wire.Codec[V], v V) {
	t.Helper()
	raw, err := codec.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	etcdtest.Put(t, c, key, raw)
}

// await reads one key until ok.
func await[V any](t *testing.T, c *clientv3.Client, key string, codec wire.Codec[V], ok func(V) bool) V {
	t.Helper()
	var v V
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		r, err := c.Get(t.Context(), key)
		if err != nil || len(r.Kvs) == 0 {
			continue
		}
		if v, err = codec.Decode(r.Kvs[0].Value); err != nil {
			t.Fatal(err)
		}
		if ok(v) {
			return v
		}
	}
	t.Fatalf("%s: not within 15 s; it is %+v", key, v)
	return v
}

func allocated(generation uint64) netmodel.PortIntent {
	return netmodel.PortIntent{
		Switch: leaf, Port: "swp1", Generation: generation, Mode: netmodel.ModeVRF, VRF: "Vrf100001", VNI: 100001, PeerASN: netmodel.FirstMachineASN,
		Grants: []netmodel.Grant{{Prefix: netip.MustParsePrefix("10.1.0.5/32")}},
	}
}

// One port through every room: from etcd to the switch and back, with a session and a probe, over a restart, and away again.
func TestOnePortThroughEveryRoom(t *testing.T) {
	server := etcdtest.Start(t, etcdtest.FreeAddress(t), t.TempDir())
	etcd, state, sw, bgp := server.Client(t), t.TempDir(), memory.New(leaf, "swp1", "swp2", "swp31"), &daemons{}
	stop := start(t, server.Endpoint, state, sw, bgp)
	agent := await(t, etcd, keys.AgentStatus(leaf), wire.SwitchStatusCodec, func(s netmodel.SwitchStatus) bool {
		return s.State == netmodel.AgentHolding && len(s.Ports) == 3 && s.FRRVersion == "8.4.4"
	})
	if !strings.Contains(agent.Reason, "no configuration") {
		t.Errorf("agent %+v", agent)
	}
	await(t, etcd, keys.Alive(leaf), wire.AliveCodec, func(a netmodel.Alive) bool { return a.BootID == "boot" })

	put(t, etcd, keys.SwitchConfig(leaf), wire.SwitchConfigCodec, netmodel.SwitchConfig{
		StoreUUID: "store-1", Switch: leaf, Role: netmodel.RoleLeaf, Loopback: netip.MustParseAddr("10.0.0.11"), ASN: netmodel.FirstSwitchASN, Generation: 1,
		Provisioning: netmodel.Provisioning{VLAN: 100},
		Ports:        []netmodel.SwitchPort{{Name: "swp1", Role: netmodel.PortMachine}, {Name: "swp2", Role: netmodel.PortMachine}, {Name: "swp31", Role: netmodel.PortUplink}},
	})
	for _, p := range []string{"swp1", "swp2"} {
		put(t, etcd, keys.PortIntent(leaf, p), wire.PortIntentCodec, netmodel.PortIntent{Switch: leaf, Port: p, Generation: 1, Mode: netmodel.ModeProvisioning})
	}
	at := func(generation uint64, mode netmodel.PortMode) func(netmodel.PortStatus) bool {
		return func(s netmodel.PortStatus) bool {
			return s.AppliedGeneration == generation && s.Mode == mode && s.Error == ""
		}
	}
	await(t, etcd, keys.PortStatus(leaf, "swp1"), wire.PortStatusCodec, at(1, netmodel.ModeProvisioning))
	await(t, etcd, keys.AgentStatus(leaf), wire.SwitchStatusCodec, func(s netmodel.SwitchStatus) bool {
		return s.State == netmodel.AgentFollowing && s.ConfigGeneration == 1
	})

	began := time.Now()
	put(t, etcd, keys.PortIntent(leaf, "swp1"), wire.PortIntentCodec, allocated(2))
	port := await(t, etcd, keys.PortStatus(leaf, "swp1"), wire.PortStatusCodec, at(2, netmodel.ModeVRF))
	t.Logf("committed to read back and reported: %v, of it in the agent %v", time.Since(began), port.AppliedTime.Sub(port.ReceivedTime))
	bgp.up("Vrf100001", "swp1")
	session := await(t, etcd, keys.SessionStatus(leaf, "swp1"), wire.SessionStatusCodec, func(s netmodel.SessionStatus) bool { return s.Established })
	if session.Generation != 2 || session.PeerASN != netmodel.FirstMachineASN {
		t.Errorf("session %+v", session)
	}
	put(t, etcd, keys.Probe(leaf, "other"), wire.ProbeCodec, netmodel.Probe{
		Allocation: "other", Generation: 1, VRF: "Vrf100001", VNI: 100001, Prefixes: []netip.Prefix{prefix}, Origins: []netmodel.ProbeOrigin{{Switch: "leaf02", Loopback: vtep2}},
	})
	await(t, etcd, keys.ProbeStatus(leaf, "other"), wire.ProbeStatusCodec, func(s netmodel.ProbeStatus) bool { return s.VRFPresent && !s.Satisfied })
	sw.SetRoute("Vrf100001", prefix, vtep2)
	await(t, etcd, keys.ProbeStatus(leaf, "other"), wire.ProbeStatusCodec, func(s netmodel.ProbeStatus) bool { return s.Satisfied })

	// A restart writes nothing, neither on the switch nor, but for the heartbeat, in etcd.
	time.Sleep(100 * time.Millisecond)
	stop()
	writes, before := sw.Writes(), statuses(t, etcd)
	stop = start(t, server.Endpoint, state, sw, bgp)
	time.Sleep(1500 * time.Millisecond)
	if n := sw.Writes() - writes; n != 0 {
		t.Errorf("a restart wrote %d times to the switch", n)
	}
	for key, revision := range statuses(t, etcd) {
		if key != keys.Alive(leaf) && revision != before[key] {
			t.Errorf("a restart rewrote %s", key)
		}
	}

	put(t, etcd, keys.PortIntent(leaf, "swp1"), wire.PortIntentCodec, netmodel.PortIntent{Switch: leaf, Port: "swp1", Generation: 3, Mode: netmodel.ModeProvisioning})
	await(t, etcd, keys.PortStatus(leaf, "swp1"), wire.PortStatusCodec, at(3, netmodel.ModeProvisioning))
	await(t, etcd, keys.ProbeStatus(leaf, "other"), wire.ProbeStatusCodec, func(s netmodel.ProbeStatus) bool { return !s.VRFPresent })
	for range 100 {
		if r, err := etcd.Get(t.Context(), keys.SessionStatus(leaf, "swp1")); err == nil && len(r.Kvs) == 0 {
			stop()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the session of a released port is still reported")
}

// statuses returns the revision at which each report was last written.
func statuses(t *testing.T, c *clientv3.Client) map[string]int64 {
	t.Helper()
	r, err := c.Get(t.Context(), keys.SwitchStatuses(leaf), clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	for _, kv := range r.Kvs {
		out[string(kv.Key)] = kv.ModRevision
	}
	return out
}
