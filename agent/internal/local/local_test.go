package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func example() intent.Snapshot {
	return intent.Snapshot{State: netmodel.AgentFollowing, Intent: plan.Intent{
		Config: netmodel.SwitchConfig{
			StoreUUID: "store-1", Switch: "leaf01", Role: netmodel.RoleLeaf, Rack: "rack01", Loopback: netip.MustParseAddr("10.0.0.11"), ASN: netmodel.FirstSwitchASN, Generation: 4,
			Ports: []netmodel.SwitchPort{{Name: "swp1", Role: netmodel.PortMachine}, {Name: "swp2", Role: netmodel.PortMachine}, {Name: "swp31", Role: netmodel.PortUplink}},
		},
		Ports: map[string]netmodel.PortIntent{
			"swp1": {Switch: "leaf01", Port: "swp1", Generation: 3, Mode: netmodel.ModeVRF, VRF: "Vrf100001", VNI: 100001, Allocation: "a1", PeerASN: 4201000000,
				Grants: []netmodel.Grant{{Prefix: netip.MustParsePrefix("10.1.0.5/32")}, {Prefix: netip.MustParsePrefix("10.2.0.0/16"), MaxLength: 24}}},
			"swp2": {Switch: "leaf01", Port: "swp2", Generation: 9, Mode: netmodel.ModeProvisioning},
		},
	}}
}

func exampleStatus() Status {
	connected := true
	statuses := map[string]netmodel.PortStatus{
		"swp1": {Port: "swp1", AppliedGeneration: 3, Mode: netmodel.ModeVRF, VRF: "Vrf100001", OperUp: true},
		"swp2": {Port: "swp2", AppliedGeneration: 8, Mode: netmodel.ModeVRF, VRF: "Vrf100001", Error: "set swp2 master bridge:\nno such device"},
	}
	sessions := []netmodel.SessionStatus{{Port: "swp1", State: "Established", Established: true, PeerASN: 4201000000}, {Port: "swp31", State: "Active"}}
	since := at.Add(-time.Hour)
	return Status{
		Switch: "leaf01", Running: true, State: "following", Since: &since, AgentVersion: "v1", FRRVersion: "8.4.4", NetworkOS: "linux", Kernel: "6.1",
		Etcd: Etcd{Endpoints: []string{"https://192.0.2.1:2379"}, Connected: &connected}, WantedGeneration: 4, AppliedGeneration: 4,
		Drift: []string{"set swp2 master bridge"}, Ports: PortsOf(example().Intent, statuses, sessions, []string{"swp1", "swp2"}),
	}
}

// fake answers what it is given.
type fake struct {
	status Status
	err    error
}

func (f fake) Status(context.Context) (Status, error) { return f.status, f.err }
func (f fake) Intent(context.Context) (Intent, error) { return IntentOf(example()) }
func (f fake) Steps(context.Context) (Steps, error) {
	return Steps{Running: true, Steps: []Step{{Op: "add vrf Vrf1 table 1001", Ports: []string{"swp1"}}}, Problems: []Problem{}}, nil
}
func (f fake) Neighbours(context.Context) (Neighbours, error) {
	return Neighbours{Listening: []string{"swp1"}, Neighbours: []Neighbour{}}, nil
}

func serve(t *testing.T, socket string, source Source) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, socket, source) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := NewClient(socket).Steps(t.Context()); err == nil {
			return stop
		}
	}
	t.Fatal("no answer within 5 s")
	return stop
}

// The same answers come out of the socket as went in, errors too, and a socket that a killed agent left behind is replaced.
func TestAskOverTheSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "local.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	client := NewClient(socket)
	if _, err := client.Status(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("at a stale socket: %v", err)
	}
	stop := serve(t, socket, fake{status: exampleStatus()})
	info, err := os.Stat(socket)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("socket has mode %o", mode)
	}
	got, err := client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(exampleStatus(), got); diff != "" {
		t.Error(diff)
	}
	if err := Serve(t.Context(), socket, fake{}); !errors.Is(err, ErrRunning) {
		t.Errorf("a second agent on the same socket: %v", err)
	}
	stop()
	if _, err := client.Status(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after the agent ended: %v", err)
	}
	stop = serve(t, socket, fake{err: errors.New("observe: links could not be read")})
	defer stop()
	if _, err := client.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "links could not be read") {
		t.Errorf("error %v", err)
	}
}

// A socket that may not be opened is not an agent that is not running.
func TestNoPermissionIsNoAbsence(t *testing.T) {
	if notRunning(os.ErrPermission) || notRunning(nil) || !notRunning(os.ErrNotExist) {
		t.Error("only what is not there, or refuses, is not running")
	}
}

func TestTables(t *testing.T) {
	in, err := IntentOf(example())
	if err != nil {
		t.Fatal(err)
	}
	in.Running = true
	offline := exampleStatus()
	offline.Running, offline.Notes, offline.Etcd.Connected = false, []string{"no agent answers"}, nil
	holding := exampleStatus()
	holding.State, holding.Reason = "holding", "another store"
	heard := Neighbours{Listening: []string{"swp1", "swp10", "swp2"}, Neighbours: []Neighbour{{
		Port: "swp10", SystemName: "m01", ChassisID: "02:00:00:00:00:01", PortID: "02:00:00:00:00:02", PortDescription: "lan0", FirstSeen: at, Expires: at.Add(90 * time.Second),
	}}}
	for _, tt := range []struct {
		name  string
		table func(*bytes.Buffer) error
		want  []string
	}{
		{"status", func(b *bytes.Buffer) error { return exampleStatus().Table(b, at) }, []string{
			"agent           following", "since           2026-03-01T11:00:00Z (1h0m0s ago)", "etcd            connected https://192.0.2.1:2379",
			"configuration   4", "drift           set swp2 master bridge",
			"swp1    machine   up        vrf                   Vrf100001        100001   3            Established AS4201000000   a1           -",
			"swp2    machine   down      vrf -> provisioning   Vrf100001 -> -   -        8 -> 9       -                          -            set swp2 master bridge:; no such device",
			"swp31   uplink    missing",
		}},
		{"without an agent", func(b *bytes.Buffer) error { return offline.Table(b, at) }, []string{"agent           not running", "note            no agent answers", "etcd            https://192.0.2.1:2379"}},
		{"holding", func(b *bytes.Buffer) error { return holding.Table(b, at) }, []string{"agent           holding the last intent: another store"}},
		{"intent", func(b *bytes.Buffer) error { return in.Table(b) }, []string{
			"from         the store", "loopback     10.0.0.11", "10.1.0.5/32, 10.2.0.0/16 le 24", "swp2    machine   provisioning",
		}},
		{"neighbours", func(b *bytes.Buffer) error { return heard.Table(b, at) }, []string{
			"swp1    -        -                   -                          silent", "02:00:00:00:00:02 (lan0)   -             1m30s",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := tt.table(&b); err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if !strings.Contains(b.String(), want) {
					t.Errorf("no %q in\n%s", want, b.String())
				}
			}
		})
	}
	var b bytes.Buffer
	if err := heard.Table(&b, at); err != nil {
		t.Fatal(err)
	}
	if strings.Index(b.String(), "swp2 ") > strings.Index(b.String(), "swp10") {
		t.Errorf("swp10 before swp2:\n%s", b.String())
	}
}

// TestYAMLSaysWhatJSONSays, in the same order, with numbers as numbers and strings that look like numbers as strings.
func TestYAMLSaysWhatJSONSays(t *testing.T) {
	var out bytes.Buffer
	v := struct {
		B string          `json:"b"`
		A uint32          `json:"a"`
		R json.RawMessage `json:"r"`
	}{"4200000001", 4200000001, json.RawMessage(`{"x":[1,"<>"],"y":"true"}`)}
	if err := Write(&out, YAML, v, nil); err != nil {
		t.Fatal(err)
	}
	want := "b: \"4200000001\"\na: 4200000001\nr:\n  x:\n    - 1\n    - <>\n  y: \"true\"\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
