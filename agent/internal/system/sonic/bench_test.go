package sonic

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/agent/internal/system/conformance"
	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/agent/internal/system/linux"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/test/frrguest"
	"github.com/pointsman/pointsman/test/lab/guesttest"
	"github.com/pointsman/pointsman/test/sonicguest"
)

func TestMain(m *testing.M) { guesttest.Main(m) }

// TestConformance runs the suite on real Redis, a real kernel and real FRR; swss and syncd are the lab's.
func TestConformance(t *testing.T) { conformance.Run(t, bench{}) }

type bench struct{}

// Stride implements conformance.Bench.
func (bench) Stride() int { return conformance.Sampled(4) }

// Fresh implements conformance.Bench.
func (bench) Fresh(t *testing.T) conformance.Switch {
	b := newBench(t, sonicguest.Options{})
	b.startFRR(frrsystem.Options{})
	return b
}

func (b *onBench) startFRR(o frrsystem.Options) {
	b.Helper()
	b.daemons = frrguest.Start(b.T, "")
	o.Dir, o.ConfigFile = b.daemons.Dir, filepath.Join(b.daemons.Dir, "frr.conf")
	client := frrsystem.New(o)
	b.Cleanup(func() { _ = client.Close() })
	b.routing = client
}

// textFRR is FRR as text: it accepts what the model says it would. Where SONiC's side alone is tried, real daemons are load.
type textFRR struct {
	running, saved frr.Config
	awaited        func(vrf string, index int)
	device         func(planned string) string
}

// NameDevices notes what SONiC calls devices.
func (f *textFRR) NameDevices(device func(string) string) { f.device = device }

// AwaitVRF is asked for before a route enters a VRF's table.
func (f *textFRR) AwaitVRF(_ context.Context, vrf string, index int) {
	if f.awaited != nil {
		f.awaited(vrf, index)
	}
}

func (f *textFRR) Running(context.Context) (frr.Config, error) { return f.running, nil }
func (f *textFRR) StrictBFD(context.Context) bool              { return false }
func (f *textFRR) MistakesSVIs(context.Context) bool           { return false }
func (f *textFRR) Saved(context.Context) (frr.Config, error)   { return f.saved, nil }
func (f *textFRR) Apply(_ context.Context, changes []frr.Change) []error {
	f.running = frr.Patch(f.running, changes)
	return make([]error, len(changes))
}
func (f *textFRR) Save(_ context.Context, text string) (err error) {
	f.saved, err = frr.Parse(text)
	return err
}

// onBench is a switch of four ports, and two more that are others'.
type onBench struct {
	*testing.T
	*System
	sw      *sonicguest.Switch
	routing linux.FRR
	daemons *frrguest.FRR // nil where FRR is text
	watched *System       // its watch outlives a restart
	fail    func(plan.Op) error
}

const ownPorts = 4

func newBench(t *testing.T, o sonicguest.Options) *onBench {
	t.Helper()
	o.Ports, o.Retry, o.Seed, o.Split = ownPorts+2, 20*time.Millisecond, 1, true
	if o.MaxDelay == 0 {
		o.MaxDelay = 5 * time.Millisecond
	}
	b := &onBench{T: t, sw: sonicguest.Start(t, o), routing: &textFRR{}}
	t.Cleanup(func() {
		if died := b.sw.Died(t); died != nil {
			t.Errorf("the switch did not survive: %v", died)
		}
	})
	return b
}

func (b *onBench) Ports() ([3]string, string) {
	return [3]string{"Ethernet0", "Ethernet4", "Ethernet8"}, "Ethernet12"
}

func (b *onBench) Open() system.System {
	b.Helper()
	b.open(Options{})
	return b.System
}

func (b *onBench) open(o Options) {
	b.Helper()
	o.Linux.Management = []string{"eth0", "Ethernet16", "Ethernet20"}
	b.openWith(o)
}

// openFor leaves these ports out.
func (b *onBench) openFor(management []string) {
	b.Helper()
	b.openWith(Options{Linux: linux.Options{Management: append([]string{"eth0"}, management...)}})
}

func (b *onBench) openWith(o Options) {
	b.Helper()
	o.Linux.FRR, o.DatabaseConfig, o.ConfigFile = b.routing, b.sw.Databases(), b.sw.Config()
	if b.System != nil && b.System != b.watched {
		_ = b.System.dbs.close() // an agent that dies leaves no connections
	}
	var err error
	if b.System, err = New(o); err != nil {
		b.Fatal(err)
	}
	opened := b.System
	b.Cleanup(func() { _ = opened.dbs.close() })
	b.around = func(e system.Executor) system.Executor { return conformance.Faulty(e, b.fail) }
}

func (b *onBench) Watch() <-chan string {
	kicks, done := make(chan string, 10000), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	watched := b.System
	b.watched = watched
	go func() { done <- watched.Watch(ctx, func(why string) { kicks <- why }) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	// It watches once it hears of an address, and of a row.
	heard := map[bool]bool{}
	for range 100 {
		b.run("ip addr add 192.0.2.77/32 dev lo")
		b.run("ip addr del 192.0.2.77/32 dev lo")
		b.set("VLAN|Vlan4000", map[string]string{"vlanid": "4000"})
		b.del("VLAN|Vlan4000")
		for quiet := false; !quiet; {
			select {
			case why := <-kicks:
				heard[strings.HasPrefix(why, configDB)] = true
			case <-time.After(50 * time.Millisecond):
				quiet = true
			}
		}
		if heard[true] && heard[false] {
			b.sw.Await(b.T, "the VLAN gone", func() bool { return !b.sw.Has("STATE_DB", "VLAN_TABLE|Vlan4000") })
			return kicks
		}
	}
	b.Fatal("nobody watches")
	return nil
}

func (b *onBench) Look() conformance.View {
	b.Helper()
	running := ""
	if b.daemons != nil {
		var err error
		if running, err = b.daemons.Shell("-d", "bgpd", "-c", "show running-config"); err != nil {
			b.Fatalf("%v: %s", err, running)
		}
	}
	planned := strings.NewReplacer(`"Bridge"`, `"bridge"`, `"Vrfprovision"`, `"provision"`)
	ours := func(name string) bool {
		return slices.Contains([]string{"Ethernet0", "Ethernet4", "Ethernet8", "Ethernet12"}, name)
	}
	v, err := conformance.KernelView(planned.Replace(b.run("ip -j -d link")), b.run("bridge -j vlan"), running, ours)
	if err != nil {
		b.Fatal(err)
	}
	delete(v.VRFs, "VrfRed") // Foreign's
	b.inASIC(v)
	return v
}

// inASIC makes of a view that the ASIC does not share one that nobody expects.
func (b *onBench) inASIC(v conformance.View) {
	b.Helper()
	oids := b.sw.Row(b.T, "COUNTERS_DB", "COUNTERS_PORT_NAME_MAP")
	bridged, errBridged := b.asic.readBridgePorts(b.Context())
	routed, errRouted := b.asic.readInterfaces(b.Context())
	if errBridged != nil || errRouted != nil {
		b.Fatal(errBridged, errRouted)
	}
	for name, p := range v.Ports {
		_, inBridge := bridged[oids[name]]
		router, inVRF := routed.ports[oids[name]]
		switch {
		case (p.Master == plan.BridgeName) != inBridge:
			p.Master += " (not in the ASIC's bridge)"
		case p.Master != plan.BridgeName && (p.Master != "" || p.Up) != inVRF:
			p.Master += " (not routed by the ASIC)"
		case inVRF && !b.isRouterOf(p.Master, router, routed):
			p.Master += " (in another virtual router)"
		}
		v.Ports[name] = p
	}
}

// isRouterOf reports whether a virtual router can be that of a VRF. The default VRF's is that of the uplink, others' are known by their
// VLANs' interfaces: a VRF whose last one has gone has one that is nobody else's.
func (b *onBench) isRouterOf(vrf, router string, r routers) bool {
	b.Helper()
	vrfs := map[string]string{r.ports[b.sw.Row(b.T, "COUNTERS_DB", "COUNTERS_PORT_NAME_MAP")["Ethernet12"]]: ""}
	numbers := map[uint16]string{}
	if err := b.nameRouters(b.Context(), r.vlans, numbers); err != nil {
		b.Fatal(err)
	}
	hasVLAN := vrf == ""
	for vlan, of := range numbers {
		vrfs[of] = b.sw.Row(b.T, "CONFIG_DB", "VLAN_INTERFACE|"+plan.SVIName(vlan))["vrf_name"]
		hasVLAN = hasVLAN || vrfs[of] == vrf
	}
	if of, known := vrfs[router]; known {
		return of == vrf
	}
	return !hasVLAN
}

func (b *onBench) Plug(port string) {
	b.Helper()
	for n := range ownPorts {
		if sonicguest.PortName(n) == port {
			b.run(fmt.Sprintf("ip link add %s type veth peer name %s", port, sonicguest.PeerName(n)))
			b.run("ip link set " + sonicguest.PeerName(n) + " up")
			b.Cleanup(func() { _ = exec.Command("ip", "link", "del", port).Run() }) // it is another device than the switch was started with
		}
	}
	b.sw.Await(b.T, port+" back", func() bool { return b.sw.Row(b.T, "STATE_DB", "PORT_TABLE|"+port)["state"] == "ok" })
}

func (b *onBench) Unplug(port string) {
	b.run("ip link del " + port)
	b.sw.Await(b.T, port+" gone", func() bool { return b.sw.Row(b.T, "STATE_DB", "PORT_TABLE|"+port)["state"] != "ok" })
}

func (b *onBench) Break(fail func(plan.Op) error) { b.fail = fail }

func (b *onBench) Disturb(port string) { b.set("PORT|"+port, map[string]string{"mtu": "1500"}) }

// foreignRows are an operator's: a VLAN and a VRF of names and numbers that could be ours, and ports in them.
var foreignRows = map[string]map[string]string{
	"VLAN|Vlan1000":                        {"vlanid": "1000", "description": "servers"},
	"VLAN|Vlan1001":                        {"vlanid": "1001"},
	"VLAN_MEMBER|Vlan1000|Ethernet16":      {"tagging_mode": "untagged"},
	"VLAN_INTERFACE|Vlan1000":              {"NULL": "NULL"},
	"VLAN_INTERFACE|Vlan1000|192.0.2.1/25": {"NULL": "NULL"},
	"VRF|VrfRed":                           {"NULL": "NULL"},
	"INTERFACE|Ethernet20":                 {"vrf_name": "VrfRed"},
	"INTERFACE|Ethernet20|192.0.2.129/25":  {"NULL": "NULL"},
	"PORT|Ethernet16":                      {"admin_status": "up", "mtu": "1600"},
	"NTP_SERVER|192.0.2.200":               {"NULL": "NULL"},
}

// placed is what of a link does not follow from others: its bridge's carrier comes with our ports.
var placed = regexp.MustCompile(`master \S+|mtu \d+|[<,]UP[,>]|vlan protocol .* id \d+|link/ether \S+`)

func (b *onBench) Foreign() func() string {
	b.Helper()
	for _, k := range slices.Sorted(maps.Keys(foreignRows)) {
		b.set(k, foreignRows[k])
	}
	b.sw.Await(b.T, "what is foreign", func() bool {
		return b.sw.Has("STATE_DB", "VLAN_MEMBER_TABLE|Vlan1000|Ethernet16") && b.sw.Has("STATE_DB", "INTERFACE_TABLE|Ethernet20|192.0.2.129/25") &&
			b.sw.Has("STATE_DB", "INTERFACE_TABLE|Vlan1000|192.0.2.1/25")
	})
	b.run("ip link add docker0 type bridge")
	b.Cleanup(func() { b.run("ip link del docker0") })
	return func() string {
		var out strings.Builder
		for _, k := range slices.Sorted(maps.Keys(foreignRows)) {
			fmt.Fprintln(&out, k, Row(b.sw.Row(b.T, "CONFIG_DB", k)))
		}
		for _, device := range []string{"Vlan1000", "Vlan1001", "VrfRed", "Ethernet16", "Ethernet20", "docker0"} {
			fmt.Fprintln(&out, device, placed.FindAllString(b.run("ip -o -d link show dev "+device), -1), b.run("ip -o addr show scope global dev "+device))
		}
		oids := b.sw.Row(b.T, "COUNTERS_DB", "COUNTERS_PORT_NAME_MAP")
		bridged, _ := b.asic.readBridgePorts(b.Context())
		routed, _ := b.asic.readInterfaces(b.Context())
		fmt.Fprintln(&out, bridged[oids["Ethernet16"]], routed.ports[oids["Ethernet20"]])
		return out.String()
	}
}

// Listen hears every key that changes in any database, and the kernel's links, addresses, routes and rules.
func (b *onBench) Listen() func() []string {
	b.Helper()
	// The end of duplicate address detection is an event, which is nobody's write.
	b.sw.Await(b.T, "addresses not tentative", func() bool { return b.run("ip -6 -o addr show tentative") == "" })
	h := &hearing{}
	for _, name := range neededDatabases {
		p := b.sw.DB(name).PSubscribe(b.Context(), "__keyspace@*__:*")
		if _, err := p.Receive(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = p.Close() })
		go func() {
			for m := range p.Channel() {
				h.hear("redis " + m.Channel + " " + m.Payload)
			}
		}()
	}
	done := make(chan struct{})
	b.Cleanup(func() { close(done) })
	links, addresses, routes := make(chan netlink.LinkUpdate), make(chan netlink.AddrUpdate), make(chan netlink.RouteUpdate)
	if err := netlink.LinkSubscribe(links, done); err != nil {
		b.Fatal(err)
	}
	if err := netlink.AddrSubscribe(addresses, done); err != nil {
		b.Fatal(err)
	}
	if err := netlink.RouteSubscribe(routes, done); err != nil {
		b.Fatal(err)
	}
	go func() {
		for {
			select {
			case u := <-links:
				if u.Link != nil {
					h.hear("link " + u.Attrs().Name)
				}
			case u := <-addresses:
				// A port whose carrier comes gets its link-local address from the kernel, when duplicate address detection is through.
				if !u.LinkAddress.IP.IsLinkLocalUnicast() {
					h.hear("address " + u.LinkAddress.String())
				}
			case u := <-routes:
				if u.Table != unix.RT_TABLE_LOCAL {
					h.hear("route " + u.Route.String())
				}
			case <-done:
				return
			}
		}
	}()
	return h.take
}

type hearing struct {
	mu    sync.Mutex
	heard []string
}

func (h *hearing) hear(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = append(h.heard, what)
}

// take waits until it has been quiet for a while.
func (h *hearing) take() []string {
	for last := -1; ; time.Sleep(500 * time.Millisecond) {
		h.mu.Lock()
		if n := len(h.heard); n == last {
			out := h.heard
			h.heard = nil
			h.mu.Unlock()
			return out
		}
		last = len(h.heard)
		h.mu.Unlock()
	}
}

func (b *onBench) set(key string, row map[string]string) {
	b.Helper()
	if err := b.sw.DB("CONFIG_DB").HSet(b.Context(), key, row).Err(); err != nil {
		b.Fatal(err)
	}
}

func (b *onBench) del(keys ...string) {
	b.Helper()
	if err := b.sw.DB("CONFIG_DB").Del(b.Context(), keys...).Err(); err != nil {
		b.Fatal(err)
	}
}

func (b *onBench) run(command string) string {
	b.Helper()
	words := strings.Fields(command)
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		b.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}
