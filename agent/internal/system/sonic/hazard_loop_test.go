package sonic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/reconcile"
	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/agent/internal/system/linux"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/test/frrguest"
	"github.com/pointsman/pointsman/test/lab/swstate/hazard"
	"github.com/pointsman/pointsman/test/sonicguest"
)

// TestHazardLoop moves 32 ports at random between provisioning and four tenants' VRFs, 16 at once, as a control plane would, with SONiC's daemons slow
// by seconds: none dies, and each port arrives, in the kernel and in the ASIC. `make hazard` makes 500 moves.
func TestHazardLoop(t *testing.T) {
	h := newHazard(t, false)
	if out := h.moves(hazard.Count(t)).Run(t, h.move); !out.Clean() {
		t.Error(out)
	}
}

// TestHazardCareless is the same agent that waits for nobody. It is shown to end the switch or to leave a port behind, or TestHazardLoop would prove nothing.
func TestHazardCareless(t *testing.T) {
	h := newHazard(t, true)
	out := h.moves(60).Run(t, h.move)
	t.Log(out)
	if out.Clean() {
		t.Error("nothing happened: the hazards do not bite")
	}
}

// onHazard is an agent's loop on a switch with slow daemons, and the control plane's intents.
type onHazard struct {
	sw   *sonicguest.Switch
	seed uint64
	loop *reconcile.Loop

	mu       sync.Mutex
	snapshot intent.Snapshot
	statuses map[string]netmodel.PortStatus
	changed  chan struct{} // closed at each report
}

func newHazard(t *testing.T, careless bool) *onHazard {
	h := &onHazard{seed: hazard.Seed(t), statuses: map[string]netmodel.PortStatus{}, changed: make(chan struct{})}
	h.sw = sonicguest.Start(t, sonicguest.Options{Ports: hazardPorts + 1, MaxDelay: 2 * time.Second, Seed: h.seed, Split: true})
	daemons := frrguest.Start(t, "")
	client := frrsystem.New(frrsystem.Options{Dir: daemons.Dir, ConfigFile: filepath.Join(daemons.Dir, "frr.conf")})
	log := &lines{}
	sys, err := New(Options{
		Linux:          linux.Options{FRR: client, Management: []string{"eth0"}, Log: slog.New(slog.NewTextHandler(log, nil))},
		DatabaseConfig: h.sw.Databases(), ConfigFile: h.sw.Config(), Deadline: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	sys.careless = careless
	h.loop, err = reconcile.New(reconcile.Config{
		System: sys, StateDir: t.TempDir(), FullPass: time.Minute, Log: slog.New(slog.NewTextHandler(log, nil)), OnReport: h.reported,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.loop.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		sys.Close() // whoever waits for a dead switch need not wait to the end
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = client.Close()
		if t.Failed() {
			t.Logf("the agent's log ends with:\n%s", log)
		}
	})
	h.begin(t)
	return h
}

// begin asks for all ports in provisioning, and waits until they are there.
func (h *onHazard) begin(t *testing.T) {
	t.Helper()
	config := netmodel.SwitchConfig{
		StoreUUID: "store-1", Switch: "leaf01", Role: netmodel.RoleLeaf, Loopback: netip.MustParseAddr("10.255.1.1"), ASN: netmodel.FirstSwitchASN, Generation: 1,
		Provisioning: netmodel.Provisioning{VLAN: 100, Addresses: []netip.Prefix{netip.MustParsePrefix("10.254.1.1/24")}},
		Ports:        []netmodel.SwitchPort{{Name: sonicguest.PortName(hazardPorts), Role: netmodel.PortUplink}},
	}
	ports := map[string]netmodel.PortIntent{}
	for i := range hazardPorts {
		name := sonicguest.PortName(i)
		config.Ports = append(config.Ports, netmodel.SwitchPort{Name: name, Role: netmodel.PortMachine})
		ports[name] = intentIn(netmodel.PortIntent{Switch: "leaf01", Port: name, Generation: 1}, sonicguest.Bridge)
	}
	h.mu.Lock()
	h.snapshot = intent.Snapshot{State: netmodel.AgentFollowing, Received: map[string]time.Time{}, Intent: plan.Intent{Config: config, Ports: ports}}
	h.loop.SetIntent(h.snapshot)
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for name := range ports {
		if err := h.applied(ctx, name, 1); err != nil && h.sw.Died(t) == nil {
			t.Fatalf("%s is not in provisioning: %v", name, err)
		}
	}
}

// intentIn makes an intent of a place.
func intentIn(in netmodel.PortIntent, place string) netmodel.PortIntent {
	if place == sonicguest.Bridge {
		return netmodel.PortIntent{Switch: in.Switch, Port: in.Port, Generation: in.Generation, Mode: netmodel.ModeProvisioning}
	}
	for vni := firstTenant; vni <= lastTenant; vni++ {
		if netmodel.VRFName(vni) == place {
			in.VNI = vni
		}
	}
	in.Mode, in.VRF, in.PeerASN = netmodel.ModeVRF, place, netmodel.FirstMachineASN
	in.Grants = []netmodel.Grant{{Prefix: netip.MustParsePrefix("10.1.0.5/32")}}
	return in
}

const (
	firstTenant netmodel.VNI = 104001
	lastTenant               = firstTenant + 3
)

func (h *onHazard) moves(n int) hazard.Moves {
	places := []string{sonicguest.Bridge}
	for vni := firstTenant; vni <= lastTenant; vni++ {
		places = append(places, netmodel.VRFName(vni))
	}
	return hazard.Moves{Switch: h.sw, Ports: hazardPorts, Places: places, Moves: n, InFlight: hazardInFlight, Seed: h.seed}
}

// move is a hazard.Mover: it changes a port's intent, and waits until the agent says that it was read back.
func (h *onHazard) move(ctx context.Context, port, _, to string) error {
	h.mu.Lock()
	in := h.snapshot.Intent.Ports[port]
	in.Generation++
	ports := maps.Clone(h.snapshot.Intent.Ports)
	ports[port] = intentIn(in, to)
	h.snapshot.Intent.Ports = ports
	h.loop.SetIntent(h.snapshot)
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	return h.applied(ctx, port, in.Generation)
}

func (h *onHazard) applied(ctx context.Context, port string, generation uint64) error {
	for {
		h.mu.Lock()
		status, changed := h.statuses[port], h.changed
		h.mu.Unlock()
		if status.AppliedGeneration >= generation {
			return nil
		}
		select {
		case <-changed:
		case <-h.sw.Dead():
			return errors.New("the switch is dead")
		case <-ctx.Done():
			return fmt.Errorf("generation %d was not applied: %s", generation, status.Error)
		}
	}
}

func (h *onHazard) reported(r reconcile.Report) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.statuses = r.Ports
	close(h.changed)
	h.changed = make(chan struct{})
}

// lines keeps the end of a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text.Len() > 1<<20 {
		l.text.Next(1 << 19)
	}
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text.Bytes()[max(0, l.text.Len()-8000):])
}
