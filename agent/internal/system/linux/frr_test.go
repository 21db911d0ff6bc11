package linux

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/conformance/kernelbench"
	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/test/frrguest"
)

// neighbourConfig is somebody who announces an address over BGP unnumbered.
const neighbourConfig = `router bgp 4201000001
 bgp router-id 10.0.0.1
 no bgp ebgp-requires-policy
 neighbor PORT interface remote-as external
 neighbor PORT timers connect 1
 neighbor PORT advertisement-interval 0
 address-family ipv4 unicast
  network 10.0.0.1/32
 exit-address-family
exit
interface PORT
 ipv6 nd ra-interval msec 100
 no ipv6 nd suppress-ra
exit
`

// leafWithFRR starts a leaf whose FRR is real.
func leafWithFRR(t *testing.T, v frrguest.Version) (*leaf, *frrguest.FRR, *frrsystem.Client) {
	t.Helper()
	l := &leaf{Devices: kernelbench.NewDevices(t)}
	daemons := v.Start(t, "")
	client := frrsystem.New(frrsystem.Options{Dir: daemons.Dir, ConfigFile: filepath.Join(daemons.Dir, "frr.conf"), Elsewhere: frrsystem.Elsewhere{Command: daemons.Command()}})
	t.Cleanup(func() { client.Close() })
	l.open(client)
	return l, daemons, client
}

// A machine moves between two tenants and provisioning, kernel and FRR in one plan each time, with real FRR on both ends: FRR takes
// every command, the session returns, the route is where it should be and nowhere else, and a second pass says nothing to FRR.
func TestMovesWithFRR(t *testing.T) { frrguest.Each(t, testMovesWithFRR) }

func testMovesWithFRR(t *testing.T, v frrguest.Version) {
	l, daemons, client := leafWithFRR(t, v)
	machine := l.startNeighbour(v, 1)
	l.converge(leafIntent())
	for _, f := range []*frrguest.FRR{daemons, machine} {
		if out, err := f.Load("log timestamp precision 3\ndebug bgp neighbor-events\ndebug bgp nht\ndebug zebra events\n"); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	prefix := netip.MustParsePrefix("10.0.0.1/32")
	vrfs := []string{"Vrf104001", "Vrf104002"}
	var applied, took []time.Duration
	for range 4 {
		for i, intent := range []plan.Intent{
			leafIntent(tenantPort("swp1", 104001, 1)), leafIntent(tenantPort("swp1", 104002, 1)), leafIntent(),
		} {
			begin := time.Now()
			_, logged := daemons.Log(0)
			_, loggedThere := machine.Log(0)
			l.converge(intent)
			applied = append(applied, time.Since(begin).Round(time.Millisecond))
			if i < len(vrfs) {
				if !l.holdsSoon(vrfs[i], prefix) {
					log, _ := daemons.Log(logged)
					there, _ := machine.Log(loggedThere)
					t.Fatalf("%s does not hold %s after 20 s\nthe leaf:\n%s\n%s\nthe machine:\n%s\n%s", vrfs[i], prefix,
						about(log, "swp1", "fe80"), shown(daemons, vrfs[i]), about(there, "m1", "fe80"), shown(machine, "default"))
				}
				took = append(took, time.Since(begin).Round(time.Millisecond))
				if heard, err := client.Hears(t.Context(), vrfs[i], "swp1"); err != nil || !heard {
					t.Errorf("zebra hears the machine in %s: %t, error %v", vrfs[i], heard, err)
				}
				if heard, err := client.Hears(t.Context(), "", "swp2"); err != nil || heard {
					t.Errorf("zebra hears a machine that does not speak: %t, error %v", heard, err)
				}
			}
			for j, vrf := range vrfs {
				if hops, err := l.RouteNextHops(t.Context(), vrf, prefix); j != i && (err != nil || len(hops) > 0) {
					t.Errorf("move to %d: %s holds the machine's route by %v, error %v", i, vrf, hops, err)
				}
			}
			l.mustBeQuiet(daemons, intent)
		}
	}
	for _, name := range daemons.Version.Daemons {
		if !daemons.Alive(name) || !machine.Alive(name) {
			t.Errorf("%s died", name)
		}
	}
	t.Logf("observe, plan, apply, observe: %v", applied)
	t.Logf("from the plan to the route in the kernel: %v", took)
}

// TestVNIsKeepTheirSVIs: whatever tenants come and go around it, FRR leads a tenant's routes into that tenant's VRF. zebra 10.3 takes an SVI
// that comes or goes without a VNI in its VLAN for that of another VNI.
func TestVNIsKeepTheirSVIs(t *testing.T) { frrguest.Each(t, testVNIsKeepTheirSVIs) }

func testVNIsKeepTheirSVIs(t *testing.T, v frrguest.Version) {
	l, daemons, _ := leafWithFRR(t, v)
	first, second, third := tenantPort("swp1", 104001, 1), tenantPort("swp2", 104002, 2), tenantPort("swp2", 104003, 3)
	for i, ports := range [][]netmodel.PortIntent{{first}, {first, second}, {first, third}, {first}, {first, second}, {second}, {first, second}} {
		l.converge(leafIntent(ports...))
		for _, p := range ports {
			check := func() error { return l.routedBy(daemons, p) }
			err := check()
			for deadline := time.Now().Add(5 * time.Second); err != nil && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
				err = check()
			}
			if err != nil {
				t.Errorf("change %d: %v", i, err)
			}
		}
	}
}

// TestKeepSVIs: an SVI that comes without a VNI, as SONiC and operators make them, takes another tenant's VNI in FRR 10.3, and that one gets its own back.
func TestKeepSVIs(t *testing.T) { frrguest.Each(t, testKeepSVIs) }

func testKeepSVIs(t *testing.T, v frrguest.Version) {
	l, daemons, client := leafWithFRR(t, v)
	tenant := tenantPort("swp1", 104001, 1)
	l.converge(leafIntent(tenant))
	within := func(limit time.Duration, wrong bool) (err error) {
		for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if err = l.routedBy(daemons, tenant); (err != nil) == wrong {
				break
			}
		}
		return err
	}
	if err := within(5*time.Second, false); err != nil {
		t.Fatal(err)
	}
	before := l.IP("-o link show dev Vlan1000")
	l.IP("link add Vlan1099 link bridge type vlan id 1099")
	t.Cleanup(func() { l.IP("link del Vlan1099") })
	l.Command("bridge vlan add vid 1099 dev bridge self")
	l.IP("link set Vlan1099 up")
	mistaken := within(2*time.Second, true) != nil
	if knows := v.Name != "8.4.4"; mistaken != knows { // the control
		t.Errorf("FRR %s takes an SVI for another VNI's: %t", v.Name, mistaken)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*sviGrace) // here, as the namespace is this thread's
	defer cancel()
	l.KeepSVIs(ctx, client.TunnelSVIs)
	if err := within(5*time.Second, false); err != nil {
		t.Error(err)
	}
	if after := l.IP("-o link show dev Vlan1000"); after != before {
		t.Errorf("the SVI is not as before:\n%s%s", before, after)
	}
}

// TestUnderlayOutlivesZebra: whatever ports do after zebra was killed, the default VRF's route to link-local addresses, by which bgpd resolves the
// underlay's next hops, is that of the uplink. zebra 8.4.4 that finds ports of the bridge there deletes the uplink's when one of them moves.
func TestUnderlayOutlivesZebra(t *testing.T) { frrguest.Each(t, testUnderlayOutlivesZebra) }

func testUnderlayOutlivesZebra(t *testing.T, v frrguest.Version) {
	l, daemons, client := leafWithFRR(t, v)
	tenant := tenantPort("swp1", 104001, 1)
	uplinkOnly := func(when string) {
		t.Helper()
		var has string
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if has = connected(t, daemons, netip.MustParsePrefix("fe80::/64")); has == "swp4" {
				return
			}
		}
		t.Errorf("%s, zebra reaches fe80::/64 over %q, not over swp4 alone", when, has)
	}
	l.converge(leafIntent())
	uplinkOnly("at first")
	daemons.Kill(t, "zebra")
	daemons.StartDaemon(t, "zebra")
	l.soon("zebra answers", func() error {
		_, err := client.Running(t.Context())
		return err
	})
	l.converge(leafIntent())
	uplinkOnly("after zebra was killed")
	l.converge(leafIntent(tenant))
	uplinkOnly("after a port moved")
	l.IP("link del swp1")
	uplinkOnly("after a port went")
}

// TestLostNextHops: a next hop that bgpd has routes by and takes for unreachable is told from one that is reached.
func TestLostNextHops(t *testing.T) { frrguest.Each(t, testLostNextHops) }

func testLostNextHops(t *testing.T, v frrguest.Version) {
	l, daemons, client := leafWithFRR(t, v)
	l.converge(leafIntent())
	l.startNeighbour(v, 4)
	if !l.holdsSoon("", netip.MustParsePrefix("10.0.0.1/32")) {
		t.Fatal("the control: no route over the uplink")
	}
	if lost, err := client.LostNextHops(t.Context()); err != nil || len(lost) > 0 {
		t.Fatalf("the control: %v are lost, %v", lost, err)
	}
	nowhere := netip.MustParseAddr("192.0.2.1")
	if out, err := daemons.Load(fmt.Sprintf("route-map PM-UNDERLAY permit 10\nset ip next-hop %s\n", nowhere)); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := daemons.Shell("-c", "clear bgp ipv4 unicast * in"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l.soon("the next hop is lost", func() error {
		lost, err := client.LostNextHops(t.Context())
		if err == nil && (len(lost) != 1 || !lost[nowhere]) {
			err = fmt.Errorf("lost are %v", lost)
		}
		return err
	})
}

// connected are the devices of zebra's connected routes for a prefix in the default VRF.
func connected(t *testing.T, daemons *frrguest.FRR, prefix netip.Prefix) string {
	t.Helper()
	out, err := daemons.Shell("-c", "show ipv6 route connected json")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var routes map[string][]struct {
		Nexthops []struct {
			Device string `json:"interfaceName"`
		} `json:"nexthops"`
	}
	if err := json.Unmarshal([]byte(out), &routes); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var devices []string
	for _, r := range routes[prefix.String()] {
		for _, hop := range r.Nexthops {
			devices = append(devices, hop.Device)
		}
	}
	slices.Sort(devices)
	return strings.Join(devices, " ")
}

// routedBy looks for the device by which FRR routes into the tunnel of a port's VNI: an SVI in the port's VRF.
func (l *leaf) routedBy(daemons *frrguest.FRR, p netmodel.PortIntent) error {
	said, err := daemons.Shell("-c", fmt.Sprintf("show evpn vni %d json", uint32(p.VNI)))
	if err != nil {
		return err
	}
	var vni struct {
		SVI   string `json:"sviIntf"`
		State string `json:"state"`
	}
	if err := json.Unmarshal([]byte(said), &vni); err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	if link := l.IP("-o link show master %s", p.VRF); vni.State != "Up" || !strings.Contains(link, " "+vni.SVI+"@") {
		return fmt.Errorf("FRR routes into VNI %d, which is %s, by %s, and %s has\n%s", p.VNI, vni.State, vni.SVI, p.VRF, link)
	}
	return nil
}

// startNeighbour starts FRR as who is on a port.
func (l *leaf) startNeighbour(v frrguest.Version, number int) *frrguest.FRR {
	l.Helper()
	name := fmt.Sprintf("pointsman-m%d", number)
	l.IP("netns attach %s %d", name, l.Machines[number-1])
	l.Cleanup(func() { l.IP("netns del %s", name) })
	l.Command("ip -n " + name + " link set lo up")
	l.Command("ip -n " + name + " addr add 10.0.0.1/32 dev lo")
	machine := v.Start(l, name)
	if out, err := machine.Load(strings.ReplaceAll(neighbourConfig, "PORT", fmt.Sprintf("m%d", number))); err != nil {
		l.Fatalf("%v: %s", err, out)
	}
	return machine
}

// holdsSoon reports whether a VRF comes to hold a route to the machine.
func (l *leaf) holdsSoon(vrf string, prefix netip.Prefix) bool {
	l.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		hops, err := l.RouteNextHops(l.Context(), vrf, prefix)
		if err != nil {
			l.Fatal(err)
		}
		if len(hops) == 1 && hops[0].IsLinkLocalUnicast() {
			return true
		}
	}
	return false
}

// about returns the lines of a log that name one of some things.
func about(log string, things ...string) string {
	var out []string
	for line := range strings.Lines(log) {
		for _, thing := range things {
			if strings.Contains(line, thing) {
				out = append(out, line)
				break
			}
		}
	}
	return strings.Join(out, "")
}

// shown is what FRR says of its sessions and routes.
func shown(f *frrguest.FRR, vrf string) string {
	var out []string
	for _, command := range []string{"show bgp vrf " + vrf + " neighbors", "show bgp vrf " + vrf, "show ip route vrf " + vrf, "show bgp vrf " + vrf + " nexthop", "show interface"} {
		said, _ := f.Shell("-c", command)
		out = append(out, command, said)
	}
	return strings.Join(out, "\n")
}

// mustBeQuiet runs another pass, and reads in FRR's log that it was told nothing.
func (l *leaf) mustBeQuiet(daemons *frrguest.FRR, intent plan.Intent) {
	l.Helper()
	_, from := daemons.Log(0)
	if _, ops := l.plan(intent); len(ops) > 0 {
		l.Errorf("a second pass has work: %v", ops)
	}
	log, _ := daemons.Log(from)
	for _, line := range kernelbench.Told(log) {
		l.Errorf("in a second pass FRR was told %q", line)
	}
}
