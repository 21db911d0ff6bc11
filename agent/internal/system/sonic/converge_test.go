package sonic

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/conformance"
	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/test/sonicguest"
)

// onLeaf is a bench with an agent.
type onLeaf struct {
	*onBench
	agent *conformance.Agent
}

func newLeaf(t *testing.T, o sonicguest.Options, own Options) *onLeaf {
	t.Helper()
	l := &onLeaf{onBench: newBench(t, o)}
	l.open(own)
	l.agent = &conformance.Agent{System: l.System}
	return l
}

var machines = []string{"Ethernet0", "Ethernet4", "Ethernet8"}

// leaf asks for three machines in provisioning but for those that ports place elsewhere.
func leaf(ports ...netmodel.PortIntent) plan.Intent {
	in := plan.Intent{
		Config: netmodel.SwitchConfig{
			Switch: "leaf1", Role: netmodel.RoleLeaf, Loopback: netip.MustParseAddr("10.255.0.11"), ASN: 4200000011,
			Ports:        []netmodel.SwitchPort{{Name: "Ethernet12", Role: netmodel.PortUplink}},
			Provisioning: netmodel.Provisioning{VLAN: 20, Addresses: []netip.Prefix{netip.MustParsePrefix("10.20.1.1/24")}},
		},
		Ports: map[string]netmodel.PortIntent{},
	}
	for _, name := range machines {
		in.Config.Ports = append(in.Config.Ports, netmodel.SwitchPort{Name: name, Role: netmodel.PortMachine})
		in.Ports[name] = netmodel.PortIntent{Port: name, Mode: netmodel.ModeProvisioning}
	}
	for _, p := range ports {
		in.Ports[p.Port] = p
	}
	return in
}

func tenant(port string, vni netmodel.VNI) netmodel.PortIntent {
	return netmodel.PortIntent{Port: port, Mode: netmodel.ModeVRF, VRF: netmodel.VRFName(vni), VNI: vni, PeerASN: 4201000001}
}

func (l *onLeaf) converge(in plan.Intent) []plan.Op {
	l.Helper()
	return l.agent.Converge(l.T, in)
}

// repair is converge in as many rounds as the agent's loop has: what shows only when something else is done follows.
func (l *onLeaf) repair(in plan.Intent) {
	l.Helper()
	for range 3 {
		_, ops := l.agent.Plan(l.T, in)
		for _, r := range l.Apply(l.Context(), ops) {
			if r.Err != nil {
				l.Error(r.Err)
			}
		}
	}
	if _, ops := l.agent.Plan(l.T, in); len(ops) > 0 {
		l.Errorf("after three rounds there is work: %v", ops)
	}
	l.survives()
}

func (l *onLeaf) survives() {
	l.Helper()
	if died := l.sw.Died(l.T); died != nil {
		l.Fatal(died)
	}
}

// What rows say and the ASIC does not is seen, and set right without the death of a daemon. Each drift is one that was seen on switches.
func TestDriftBetweenPlanes(t *testing.T) {
	in := leaf(tenant("Ethernet0", 104001), tenant("Ethernet4", 104002))
	l := newLeaf(t, sonicguest.Options{}, Options{})
	l.converge(in)
	for name, drift := range map[string]func(){
		"vrf_name in place, so that the ASIC stays": func() {
			l.set("INTERFACE|Ethernet0", map[string]string{"vrf_name": "Vrf104002"})
			l.sw.Await(t, "the kernel's VRF", func() bool { return strings.Contains(l.run("ip link show Ethernet0"), "master Vrf104002") })
		},
		"a port out of the bridge in the kernel": func() { l.run("ip link set Ethernet8 nomaster") },
		"a port out of its VLAN in the kernel":   func() { l.run("bridge vlan del dev Ethernet8 vid 20") },
		"a port out of its VRF in the kernel":    func() { l.run("ip link set Ethernet0 nomaster") },
		"a port up that its row has down":        func() { l.set("PORT|Ethernet8", map[string]string{"admin_status": "down"}) },
		"a port down in the kernel":              func() { l.run("ip link set Ethernet4 down") },
		"a port's MTU in the kernel":             func() { l.run("ip link set Ethernet4 mtu 1500") },
		"an interface's row gone":                func() { l.del("INTERFACE|Ethernet4") },
		"the uplink not routed":                  func() { l.del("INTERFACE|Ethernet12") },
		"a membership's row gone":                func() { l.del("VLAN_MEMBER|Vlan20|Ethernet8") },
		"an address gone":                        func() { l.del("VLAN_INTERFACE|Vlan20|10.20.1.1/24") },
		"an address too many":                    func() { l.set("VLAN_INTERFACE|Vlan20|192.0.2.1/24", map[string]string{"NULL": "NULL"}) },
		"a tunnel's map gone":                    func() { l.del("VXLAN_TUNNEL_MAP|vtep|map_104001_Vlan1000") },
		"a VLAN's device gone":                   func() { l.run("ip link del Vlan1000") },
		"a VRF's device gone":                    func() { l.run("ip link del Vrf104002") },
		"a VNI's device gone":                    func() { l.run("ip link del vtep-1001") },
		"a VRF's VNI in place":                   func() { l.set("VRF|Vrf104001", map[string]string{"vni": "999"}) },
		"the bridge's MTU":                       func() { l.run("ip link set Bridge mtu 9100") },
		"a VRF that nobody asks for":             func() { l.set("VRF|Vrf104009", map[string]string{"NULL": "NULL"}) },
		"a VRF with another's VNI, without object": func() {
			l.set("VRF|Vrf104008", map[string]string{"vni": "104001"})
			l.sw.Await(t, "its VRF_TABLE", func() bool { return l.sw.Has("STATE_DB", "VRF_TABLE|Vrf104008") })
		},
	} {
		drift()
		time.Sleep(200 * time.Millisecond) // what daemons make of it comes late, and is part of what is looked at
		l.repair(in)
		if t.Failed() {
			t.Fatalf("after %s", name)
		}
		if v := l.Look(); v.Ports["Ethernet0"].Master != "Vrf104001" || v.Ports["Ethernet4"].Master != "Vrf104002" || v.Ports["Ethernet8"].Master != plan.BridgeName {
			t.Fatalf("after %s: from outside, the ports are %+v", name, v.Ports)
		}
	}
}

// A restart of swss and a config reload are survived: while they last nothing is touched, and after them there is little or nothing to do.
func TestRestartOfSwssAndConfigReload(t *testing.T) {
	in := leaf(tenant("Ethernet0", 104001))
	l := newLeaf(t, sonicguest.Options{}, Options{})
	l.converge(in)
	for _, again := range []struct {
		what string
		do   func()
	}{
		{"a restart of swss", func() { l.sw.Run(t) }},
		{"a config reload", func() { l.sw.Boot(t) }},
	} {
		if died := l.sw.Stop(t); died != nil {
			t.Fatal(died)
		}
		l.sw.DB("APPL_DB").FlushDB(t.Context()) // as swss.sh does
		if _, err := l.Observe(t.Context()); !errors.Is(err, ErrNotReady) {
			t.Errorf("during %s: observed with %v", again.what, err)
		}
		before := l.sw.Row(t, "CONFIG_DB", "PORT|Ethernet0")
		for _, r := range l.Apply(t.Context(), []plan.Op{plan.SetMTU{Device: "Ethernet0", MTU: 1500, For: plan.For{"Ethernet0"}}}) {
			if !errors.Is(r.Err, ErrNotReady) {
				t.Errorf("during %s: applied with %v", again.what, r.Err)
			}
		}
		if after := l.sw.Row(t, "CONFIG_DB", "PORT|Ethernet0"); after["mtu"] != before["mtu"] {
			t.Errorf("during %s: a row was written: %v", again.what, after)
		}
		again.do()
		l.sw.Await(t, "the tenant's port in the ASIC", func() bool {
			return l.sw.Row(t, "STATE_DB", "INTERFACE_TABLE|Ethernet0")["vrf"] == "Vrf104001" && l.sw.Has("STATE_DB", "VLAN_MEMBER_TABLE|Vlan20|Ethernet8")
		})
		l.repair(in)
		if v := l.Look(); v.Ports["Ethernet0"].Master != "Vrf104001" || !v.Ports["Ethernet0"].Up || v.Ports["Ethernet4"].Master != plan.BridgeName {
			t.Errorf("after %s: %+v", again.what, v.Ports)
		}
	}
}

// A port that the ASIC does not let go of waits in vain, and nobody waits with it.
func TestStuckPortHoldsUpNobody(t *testing.T) {
	l := newLeaf(t, sonicguest.Options{}, Options{Deadline: 3 * time.Second})
	l.converge(leaf())
	const stuck = "ASIC_STATE:SAI_OBJECT_TYPE_BRIDGE_PORT:oid:0x3a00000000ffff"
	oid := l.sw.Row(t, "COUNTERS_DB", "COUNTERS_PORT_NAME_MAP")["Ethernet0"]
	if err := l.sw.DB("ASIC_DB").HSet(t.Context(), stuck, "SAI_BRIDGE_PORT_ATTR_PORT_ID", oid).Err(); err != nil {
		t.Fatal(err)
	}
	in := leaf(tenant("Ethernet0", 104001), tenant("Ethernet4", 104001), tenant("Ethernet8", 104002))
	_, ops := l.agent.Plan(t, in)
	failed := map[string]string{}
	for _, r := range l.Apply(t.Context(), ops) {
		if r.Err != nil {
			for _, p := range r.Op.Ports() {
				failed[p] += r.Err.Error() + "\n"
			}
		}
	}
	if len(failed) != 1 || !strings.Contains(failed["Ethernet0"], "after 3s, ASIC_DB still bridges Ethernet0 ("+oid+"): "+stuck) {
		t.Errorf("these failed: %v", failed)
	}
	if l.sw.Has("CONFIG_DB", "INTERFACE|Ethernet0") {
		t.Error("the stuck port was told to route: orchagent would have died of it")
	}
	v := l.Look()
	if v.Ports["Ethernet4"].Master != "Vrf104001" || v.Ports["Ethernet8"].Master != "Vrf104002" || !v.Ports["Ethernet8"].Up {
		t.Errorf("the others are %+v", v.Ports)
	}
	l.sw.DB("ASIC_DB").Del(t.Context(), stuck)
	l.repair(in)
}

// Random transitions of all ports at once, with slow daemons: none dies, and every port ends where it was last sent.
func TestRandomTransitions(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("POINTSMAN_SEED"); text != "" {
		seed = Row{"seed": text}.number("seed")
	}
	t.Logf("POINTSMAN_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	l := newLeaf(t, sonicguest.Options{MaxDelay: 300 * time.Millisecond}, Options{})
	for range 12 {
		var ports []netmodel.PortIntent
		for _, name := range machines {
			switch n := random.IntN(5); n {
			case 0:
				ports = append(ports, netmodel.PortIntent{Port: name, Mode: netmodel.ModeDisabled})
			case 1:
			default:
				ports = append(ports, tenant(name, 104000+netmodel.VNI(n)))
			}
		}
		l.converge(leaf(ports...))
		l.survives()
		if t.Failed() {
			t.FailNow()
		}
	}
}

// zebra knows a VRF's device before it can hear of a route in the VRF's table.
func TestZebraKnowsAVRFBeforeItsRoutes(t *testing.T) {
	l := newLeaf(t, sonicguest.Options{}, Options{})
	l.converge(leaf())
	routes := func() string {
		return l.run("ip route show table all type unreachable") + l.run("ip -6 route show table all type unreachable")
	}
	before := routes()
	var awaited []string
	l.routing.(*textFRR).awaited = func(vrf string, index int) {
		if device, err := net.InterfaceByIndex(index); err != nil || device.Name != vrf {
			t.Errorf("%s was awaited with index %d: %+v, error %v", vrf, index, device, err)
		}
		if now := routes(); len(awaited) == 0 && now != before {
			t.Errorf("%s was awaited after its routes, before them there were\n%sthen\n%s", vrf, before, now)
		}
		awaited = append(awaited, vrf)
	}
	l.converge(leaf(tenant("Ethernet0", 104001)))
	if want := []string{"Vrf104001", "Vrf104001"}; !slices.Equal(awaited, want) {
		t.Errorf("awaited were %q, want %q", awaited, want)
	}
}

// zebra is waited for until it knows a VNI's devices, which SONiC's daemons have named: told of the VNI before, it would take it down
// again.
func TestZebraKnowsSONiCsDevices(t *testing.T) {
	l := &onLeaf{onBench: newBench(t, sonicguest.Options{})}
	var log strings.Builder
	l.startFRR(frrsystem.Options{DeviceWait: 2 * time.Minute, Log: slog.New(slog.NewTextHandler(&log, nil))})
	l.agent = &conformance.Agent{System: l.Open()}
	l.converge(leaf(tenant("Ethernet0", 104001)))
	if strings.Contains(log.String(), "does not know the devices") {
		t.Error(log.String())
	}
}

// FRR in its container hears of SONiC's names, too.
func TestFRRInContainerKnowsSONiCsNames(t *testing.T) {
	f := &textFRR{}
	newNames().tell(Container{}.Followed(f))
	if f.device == nil || f.device(plan.BridgeName) != kernelBridge {
		t.Error("it does not")
	}
}

// Ports that nobody registered stay as they are, though they are in a VLAN or a VRF.
func TestUnregisteredPortsStay(t *testing.T) {
	l := newLeaf(t, sonicguest.Options{}, Options{})
	l.System.Close()
	l.openFor(nil) // all ports are looked at
	l.agent.System = l.System
	read := l.Foreign()
	before := read()
	for _, in := range []plan.Intent{leaf(), leaf(tenant("Ethernet0", 104001)), leaf()} {
		l.repair(in)
		if after := read(); after != before {
			t.Fatalf("what is foreign was\n%s\nand is\n%s", before, after)
		}
	}
	facts, err := l.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := facts.Ports["Ethernet16"]; !ok || len(facts.TakenVLANs) != 2 {
		t.Errorf("ports %v, taken VLANs %v", facts.Ports, facts.TakenVLANs)
	}
}

// A switch whose FRR is SONiC's own to configure is left alone, and says how to change that.
func TestRoutingModeIsChecked(t *testing.T) {
	l := newLeaf(t, sonicguest.Options{}, Options{})
	l.set("DEVICE_METADATA|localhost", map[string]string{"docker_routing_config_mode": "unified"})
	facts, err := l.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const want = `DEVICE_METADATA|localhost: docker_routing_config_mode is "unified", must be "split-unified"`
	if !strings.HasPrefix(facts.Refusal, want) {
		t.Errorf("refused because %q", facts.Refusal)
	}
	if _, _, _, err := plan.Desired(leaf(), facts); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("planned with %v", err)
	}
	if errs := l.dbs.obstacles(t.Context()); len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), want) {
		t.Errorf("checked: %v", errs)
	}
	l.set("DEVICE_METADATA|localhost", map[string]string{"docker_routing_config_mode": "split-unified"})
	if errs := l.dbs.obstacles(t.Context()); len(errs) != 0 {
		t.Errorf("checked: %v", errs)
	}
}

// Where Redis tells of nothing, changes are found by looking.
func TestPollsWithoutNotifications(t *testing.T) {
	l := newLeaf(t, sonicguest.Options{}, Options{})
	l.converge(leaf())
	if died := l.sw.Stop(t); died != nil { // the lab's daemons hear by notifications
		t.Fatal(died)
	}
	for _, db := range []string{"CONFIG_DB", "STATE_DB"} { // an instance each
		if err := l.sw.DB(db).ConfigSet(t.Context(), "notify-keyspace-events", "").Err(); err != nil {
			t.Fatal(err)
		}
	}
	if told, _, err := l.dbs.listen(t.Context(), everything, nil); told || err != nil {
		t.Fatalf("listening: %v, %v", told, err)
	}
	kicks := make(chan string, 100)
	go func() { _ = l.watchDatabases(t.Context(), func(why string) { kicks <- why }) }()
	for deadline := time.After(30 * time.Second); ; {
		l.set("VLAN|Vlan3000", map[string]string{"vlanid": "3000", "mtu": time.Now().Format("150405")})
		select {
		case <-kicks:
			return
		case <-deadline:
			t.Fatal("nobody looked")
		case <-time.After(pollEvery):
		}
	}
}
