package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/fabric"
	"github.com/pointsman/pointsman/test/lab"
)

const (
	border = "border01"
	// overflowLimit is longer than the minute for which a session stays closed that had too many routes.
	overflowLimit = 90 * time.Second
	// withdrawBound is how long machines go on sending to a border whose outside is gone, restartBound how long a border's bgpd, or the
	// whole border, may take to bring it back once it runs.
	withdrawBound = 5 * time.Second
	restartBound  = 30 * time.Second
)

// outsideTest is an external network with a machine in it, and the outside.
type outsideTest struct {
	f       *fabric.Fabric
	network *apiv1.Network
	inside  *apiv1.Allocation
	outside lab.Outside
}

// TestBorder: a machine of an external network reaches the outside over both families, and nobody else does. What the outside says beyond
// what is permitted changes nothing, too much of it is reported, and when it or the border is away, its destinations are unreachable. When
// the network goes, the border is as it was.
func TestBorder(t *testing.T) {
	topology, err := lab.Load("../lab/topologies/border.yaml")
	if err != nil {
		t.Fatal(err)
	}
	onFabricOf(t, topology, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		await(ctx, t, "the border knows all switches", func(ctx context.Context) error { return knowsLoopbacks(ctx, f, border) })
		private := network(ctx, t, f, "private", "10.1.0.0/24", "fd01::/64")
		x := begin(ctx, t, f)
		x.end(ctx, t) // the kernel shows a port that was up once, and a bridge that had one, otherwise than new ones
		await(ctx, t, "the border has tidied up", func(ctx context.Context) error {
			if links := sh(ctx, t, f, border, "ip -br link show type vrf"); strings.Contains(links, x.network.Vrf) {
				return fmt.Errorf("%s is still there", x.network.Vrf)
			}
			if bridge := sh(ctx, t, f, border, "ip -br link show bridge"); !strings.Contains(bridge, "NO-CARRIER") {
				return fmt.Errorf("the bridge still has a carrier: %s", bridge)
			}
			return idle(ctx, f, border)
		})
		before := switchState(ctx, t, f, border)
		x = begin(ctx, t, f)
		x.assertCounted(ctx, t)
		alone := allocate(ctx, t, f, private.Id, "machine02")

		x.reachOutside(ctx, t)
		for _, target := range x.internet() {
			reachNot(ctx, t, f, alone.Machine, fabric.Ping{To: target, From: sameFamily(t, alone, target)}, "a private network's machine")
			for _, leaf := range f.SwitchNames(lab.RoleLeaf) {
				assertUnreachable(ctx, t, f, leaf, private.Vrf, target)
			}
		}
		x.assertTold(ctx, t)
		x.assertShown(ctx, t)

		x.lies(ctx, t, private)
		x.tooMuch(ctx, t)
		x.sessionDownAndUp(ctx, t)
		x.restarts(ctx, t)

		release(ctx, t, f, alone)
		x.end(ctx, t)
		await(ctx, t, "the border is as it was before", func(ctx context.Context) error {
			return differ(before, switchState(ctx, t, f, border))
		})

		x = begin(ctx, t, f) // a network of the same name, another VRF
		x.reachOutside(ctx, t)
		x.borderDownAndUp(ctx, t)
		x.end(ctx, t)
	})
}

// knowsLoopbacks says whether a switch has routes to all others.
func knowsLoopbacks(ctx context.Context, f *fabric.Fabric, name string) error {
	for _, s := range f.Inventory.Switches {
		if s.Name == name {
			continue
		}
		routes, err := f.Routes(ctx, name, "-4", s.Loopback.String())
		if err != nil {
			return err
		}
		if ways := len(f.SwitchNames(lab.RoleSpine)); s.Role != lab.RoleSpine && (len(routes) != 1 || len(routes[0].NextHops) != ways) || len(routes) != 1 {
			return fmt.Errorf("%s has the routes %+v to %s", name, routes, s.Name)
		}
	}
	return nil
}

// begin creates the network that the lab's borders are registered for, and allocates a machine in it once the outside is there.
func begin(ctx context.Context, t *testing.T, f *fabric.Fabric) outsideTest {
	t.Helper()
	n, err := f.API.Networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{
		Project: fabric.Project, Id: fabric.ExternalNetwork, Kind: apiv1.NetworkKind_NETWORK_KIND_EXTERNAL, Prefixes: []string{"10.9.0.0/24", "fd09::/64"},
	})
	if err != nil {
		t.Fatal(err)
	}
	x := outsideTest{f: f, outside: f.Inventory.Outside[0], network: n}
	x.awaitSession(ctx, t, "Established")
	x.inside = allocate(ctx, t, f, n.Id, "machine01")
	return x
}

// end releases the machine and deletes the network.
func (x outsideTest) end(ctx context.Context, t *testing.T) {
	t.Helper()
	release(ctx, t, x.f, x.inside)
	if err := x.f.API.DeleteNetwork(ctx, x.network.Id); err != nil {
		t.Fatal(err)
	}
}

// internet is what is behind the outside, an address of each family.
func (x outsideTest) internet() []netip.Addr {
	var out []netip.Addr
	for _, p := range x.outside.Addresses {
		out = append(out, p.Addr())
	}
	return out
}

// ways are those between the machine and the internet.
func (x outsideTest) ways(t *testing.T) map[netip.Addr]netip.Addr {
	out := map[netip.Addr]netip.Addr{}
	for _, to := range x.internet() {
		out[sameFamily(t, x.inside, to)] = to
	}
	return out
}

func (x outsideTest) reachOutside(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, to := range x.internet() {
		awaitPing(ctx, t, x.f, x.inside.Machine, fabric.Ping{To: to, From: sameFamily(t, x.inside, to)})
	}
}

// port is the border's external port as the API shows it.
func (x outsideTest) port(ctx context.Context) (*apiv1.SwitchPortView, error) {
	sw, err := x.f.API.Switches.GetSwitch(ctx, &apiv1.GetSwitchRequest{Id: border})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(sw.PortViews, func(v *apiv1.SwitchPortView) bool { return v.Role == apiv1.PortRole_PORT_ROLE_EXTERNAL })
	if i < 0 {
		return nil, fmt.Errorf("%s has no external port", border)
	}
	return sw.PortViews[i], nil
}

// session says how the session to the outside is reported, at the present generation.
func (x outsideTest) session(ctx context.Context, state string) error {
	v, err := x.port(ctx)
	if err != nil {
		return err
	}
	if g := v.GetIntent().GetGeneration(); v.GetStatus().GetAppliedGeneration() != g || v.GetSession().GetGeneration() != g || v.GetSession().GetState() != state {
		return fmt.Errorf("the session is not %s at generation %d: %v, %v", state, g, v.GetStatus(), v.GetSession())
	}
	return nil
}

func (x outsideTest) awaitSession(ctx context.Context, t *testing.T, state string) {
	t.Helper()
	await(ctx, t, "session to the outside is "+state, func(ctx context.Context) error { return x.session(ctx, state) })
}

// assertCounted: the border is a switch with the VRF, so that "reachable" says that it holds the machine's routes too.
func (x outsideTest) assertCounted(ctx context.Context, t *testing.T) {
	t.Helper()
	receipt := waitPhase(ctx, t, x.f, x.inside.Id, apiv1.Phase_PHASE_REACHABLE)
	last := receipt.Phases[len(receipt.Phases)-1]
	if !slices.ContainsFunc(last.Agents, func(a *apiv1.AgentTime) bool { return a.Switch == border }) || receipt.Degraded {
		t.Errorf("reachable without %s: %v", border, receipt)
	}
}

// assertTold: the outside is told exactly the network's prefixes, and no host route.
func (x outsideTest) assertTold(ctx context.Context, t *testing.T) {
	t.Helper()
	await(ctx, t, "the outside knows the network's prefixes", func(ctx context.Context) error {
		told := x.bgpRoutes(ctx, t, x.outside.Name, "ipv4 unicast")
		told = append(told, x.bgpRoutes(ctx, t, x.outside.Name, "ipv6 unicast")...)
		if want := x.network.Prefixes; !slices.Equal(slices.Sorted(slices.Values(told)), slices.Sorted(slices.Values(want))) {
			return fmt.Errorf("it knows %v, want %v", told, want)
		}
		return nil
	})
}

// bgpRoutes are the prefixes in a table of bgpd: arguments of `show bgp`.
func (x outsideTest) bgpRoutes(ctx context.Context, t *testing.T, node, table string) []string {
	t.Helper()
	var shown struct {
		Routes map[string]any `json:"routes"`
	}
	text := sh(ctx, t, x.f, node, "vtysh -d bgpd -c 'show bgp %s json'", table)
	if err := json.Unmarshal([]byte(text), &shown); err != nil {
		t.Fatalf("show bgp %s on %s: %v in %q", table, node, err, text)
	}
	return slices.Sorted(maps.Keys(shown.Routes))
}

// assertShown: an operator sees the VRF, the session and the peer.
func (x outsideTest) assertShown(ctx context.Context, t *testing.T) {
	t.Helper()
	page, err := x.f.Ctl(ctx, "describe", "port", border, "swp1")
	if err != nil {
		t.Fatalf("%v\n%s", err, page)
	}
	for _, want := range []string{"external", x.network.Vrf, "Established", fmt.Sprint(lab.OutsideASN)} {
		if !strings.Contains(page, want) {
			t.Errorf("the port's page lacks %q:\n%s", want, page)
		}
	}
}

// assertUnreachable: a VRF's table ends unreachable for an address, and leads nowhere else.
func assertUnreachable(ctx context.Context, t *testing.T, f *fabric.Fabric, node, vrf string, to netip.Addr) {
	t.Helper()
	if err := unreachable(ctx, f, node, vrf, to); err != nil {
		t.Error(err)
	}
}

func unreachable(ctx context.Context, f *fabric.Fabric, node, vrf string, to netip.Addr) error {
	r, err := f.Lab.Exec(ctx, node, []string{"ip", fabric.Family(to), "route", "get", "vrf", vrf, to.String()}, nil)
	if err != nil {
		return err
	}
	said := strings.TrimSpace(string(r.Stdout) + string(r.Stderr))
	if strings.Contains(said, "Invalid VRF") {
		return nil // a leaf without the VRF leads nowhere
	}
	if !strings.Contains(said, "unreachable") && !strings.Contains(said, "No route to host") && !strings.Contains(said, "Network is unreachable") {
		return fmt.Errorf("VRF %s on %s leads to %s: %s", vrf, node, to, said)
	}
	return nil
}

// cutOff says whether nobody in the network is led anywhere for the internet.
func (x outsideTest) cutOff(ctx context.Context) error {
	for _, leaf := range x.f.SwitchNames(lab.RoleLeaf) {
		for _, to := range x.internet() {
			if err := unreachable(ctx, x.f, leaf, x.network.Vrf, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// configureOutside runs commands in the configuration of the outside's BGP, each of IPv4 and IPv6.
func (x outsideTest) configureOutside(ctx context.Context, t *testing.T, top string, v4, v6 []string) {
	t.Helper()
	text := fmt.Sprintf("%s\nrouter bgp %d\n address-family ipv4 unicast\n%s\n exit-address-family\n address-family ipv6 unicast\n%s\n exit-address-family\n",
		top, x.outside.ASN, strings.Join(v4, "\n"), strings.Join(v6, "\n"))
	if err := x.f.Lab.WriteFile(ctx, x.outside.Name, "/root/outside.conf", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	sh(ctx, t, x.f, x.outside.Name, "vtysh -d bgpd -f /root/outside.conf")
}

func networks(no string, prefixes []netip.Prefix) (v4, v6 []string) {
	for _, p := range prefixes {
		line := no + "network " + p.String()
		if p.Addr().Is4() {
			v4 = append(v4, line)
		} else {
			v6 = append(v6, line)
		}
	}
	return v4, v6
}

// lies: the outside announces the machine's own addresses, its network's, another's and what nobody permitted, all with another network's
// route target, which its default routes have as well.
func (x outsideTest) lies(ctx context.Context, t *testing.T, private *apiv1.Network) {
	t.Helper()
	before := fabricRoutes(ctx, t, x.f)
	lies := []netip.Prefix{netip.MustParsePrefix("192.0.2.128/25"), netip.MustParsePrefix("10.9.0.0/25"), netip.MustParsePrefix("2001:db8:5::/48"), netip.MustParsePrefix("fd09::/65")}
	for _, text := range slices.Concat(x.network.Prefixes, private.Prefixes) {
		lies = append(lies, netip.MustParsePrefix(text))
	}
	for _, a := range addresses(t, x.inside) {
		lies = append(lies, netip.PrefixFrom(a, a.BitLen()))
	}
	judged := x.judged(ctx, t)
	v4, v6 := networks("", lies)
	liar := []string{"neighbor lan0 default-originate route-map LIES", "neighbor lan0 route-map LIES out"}
	x.configureOutside(ctx, t, fmt.Sprintf("route-map LIES permit 10\n set extcommunity rt 64512:%d\n set community 64512:1 no-export\nexit", private.Vni), append(v4, liar...), append(v6, liar...))
	await(ctx, t, "the border judges the lies", func(ctx context.Context) error {
		if now := x.judged(ctx, t); now < judged+len(lies) {
			return fmt.Errorf("it judged %d prefixes, want %d", now, judged+len(lies))
		}
		return nil
	})
	assertUnmoved(ctx, t, x.f, before) // the outside itself believes its lies, and answers nobody
	v4, v6 = networks("no ", lies)
	honest := []string{"no neighbor lan0 route-map LIES out", "no neighbor lan0 default-originate route-map LIES", "neighbor lan0 default-originate"}
	x.configureOutside(ctx, t, "", append(v4, honest...), append(v6, honest...))
	sh(ctx, t, x.f, x.outside.Name, "vtysh -d bgpd -c 'configure terminal' -c 'no route-map LIES'")
	x.reachOutside(ctx, t)
}

// judged is how many prefixes the border's import route-map has judged so far.
func (x outsideTest) judged(ctx context.Context, t *testing.T) int {
	t.Helper()
	out := sh(ctx, t, x.f, border, "vtysh -d bgpd -c 'show route-map PM-IN-swp1'")
	_, tail, _ := strings.Cut(out, "Invoked: ")
	var n int
	if _, err := fmt.Sscanf(tail, "%d", &n); err != nil {
		t.Fatalf("no count in %q", out)
	}
	return n
}

// tooMuch: a destination that the network permits is used; more routes inside it than the border takes close the session, which is
// reported, and comes back when they are gone.
func (x outsideTest) tooMuch(ctx context.Context, t *testing.T) {
	t.Helper()
	const destination = "198.18.0.0/15"
	x.permit(ctx, t, destination)
	x.awaitSession(ctx, t, "Established")
	var flood []netip.Prefix
	for i := range fabric.ExternalMaximumPrefix + 5 {
		flood = append(flood, netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(i), 0}), 24))
	}
	v4, _ := networks("", flood[:1])
	x.configureOutside(ctx, t, "", v4, nil)
	leaf := x.inside.Ports[0].Switch
	awaitHops(ctx, t, x.f, leaf, 1, "-4", "vrf", x.network.Vrf, flood[0].String())

	v4, _ = networks("", flood)
	x.configureOutside(ctx, t, "", v4, nil)
	await(ctx, t, "too many routes are reported", func(ctx context.Context) error {
		v, err := x.port(ctx)
		if state := v.GetSession().GetState(); err == nil && !strings.Contains(state, "PfxCt") {
			err = fmt.Errorf("the session is %q", state)
		}
		return err
	})
	await(ctx, t, "nothing leads outside", x.cutOff)
	v4, _ = networks("no ", flood)
	x.configureOutside(ctx, t, "", v4, nil)
	limited, cancel := context.WithTimeout(ctx, overflowLimit)
	defer cancel()
	if err := fabric.Eventually(limited, 500*time.Millisecond, func() error { return x.session(limited, "Established") }); err != nil {
		t.Fatalf("the session comes back after a minute: %v", err)
	}
	x.permit(ctx, t)
	x.awaitSession(ctx, t, "Established")
	x.reachOutside(ctx, t)
}

// permit changes the network's destinations.
func (x outsideTest) permit(ctx context.Context, t *testing.T, destinations ...string) {
	t.Helper()
	_, err := x.f.API.Networks.UpdateNetwork(ctx, &apiv1.UpdateNetworkRequest{
		Project: fabric.Project, Id: x.network.Id, Destinations: destinations, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"destinations"}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// measured runs do while packets go both ways between the machine and the internet, prints what was lost and returns the worst.
func (x outsideTest) measured(ctx context.Context, t *testing.T, what string, do func()) fabric.Outage {
	t.Helper()
	m, err := x.f.Measure(ctx, x.inside.Machine, x.outside.Name, x.ways(t))
	if err != nil {
		t.Fatal(err)
	}
	do()
	time.Sleep(2 * time.Second) // what comes back may still take a packet down with it
	outages, err := m.Stop()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	for _, o := range outages {
		t.Logf("%s: %s", what, o)
	}
	return slices.MaxFunc(outages, func(a, b fabric.Outage) int {
		return cmp.Or(cmp.Compare(a.Outage, b.Outage), cmp.Compare(a.Lost, b.Lost))
	})
}

// goneAndBack inflicts what cuts the network off, asserts that it is unreachable soon, and reached again soon after the mending.
func (x outsideTest) goneAndBack(ctx context.Context, t *testing.T, what string, gone, back time.Duration, inflict, mend func() error) {
	t.Helper()
	x.measured(ctx, t, what, func() {
		began := time.Now()
		if err := inflict(); err != nil {
			t.Fatal(err)
		}
		await(ctx, t, what+": nothing leads outside", x.cutOff)
		if took := time.Since(began); took > gone {
			t.Errorf("%s: it took %v until nothing led outside, more than %v", what, took, gone)
		} else {
			t.Logf("%s: nothing led outside after %d ms", what, took.Milliseconds())
		}
		for _, to := range x.internet() {
			reachNot(ctx, t, x.f, x.inside.Machine, fabric.Ping{To: to, From: sameFamily(t, x.inside, to)}, what)
		}
		began = time.Now()
		if err := mend(); err != nil {
			t.Fatal(err)
		}
		x.reachOutside(ctx, t)
		if took := time.Since(began); took > back {
			t.Errorf("%s: it took %v until the outside answered again, more than %v", what, took, back)
		} else {
			t.Logf("%s: the outside answered %d ms after the mending", what, took.Milliseconds())
		}
	})
}

// sessionDownAndUp: the cable to the outside is cut and healed, and the outside ends its session and begins it again.
func (x outsideTest) sessionDownAndUp(ctx context.Context, t *testing.T) {
	t.Helper()
	link := border + ":" + x.outside.Name
	x.goneAndBack(ctx, t, "cable to the outside cut", withdrawBound, restartBound,
		func() error { return x.f.Lab.Cut(ctx, link) }, func() error { return errors.Join(x.f.Lab.Heal(ctx, link), x.clearOutside(ctx, t)) })
	shutdown := func(no string) func() error {
		return func() error {
			_, err := x.f.Lab.Run(ctx, x.outside.Name, "vtysh", "-d", "bgpd", "-c", "configure terminal", "-c", fmt.Sprintf("router bgp %d", x.outside.ASN), "-c", no+"neighbor lan0 shutdown")
			return err
		}
	}
	x.goneAndBack(ctx, t, "session to the outside ended", withdrawBound, restartBound, shutdown(""), shutdown("no "))
	x.awaitSession(ctx, t, "Established")
}

// clearOutside does what the outside's operator does. Its bgpd 8.4.4, which no agent looks after, now and then stays idle for good once its port is back
// ("Failure handling event BGP_Start"). The border's part, coming back with what it is told, is what is tried.
func (x outsideTest) clearOutside(ctx context.Context, t *testing.T) error {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
		if x.session(ctx, "Established") == nil {
			return nil
		}
	}
	t.Logf("the outside's bgpd does not come back by itself and is cleared")
	_, err := x.f.Lab.Run(ctx, x.outside.Name, "vtysh", "-d", "bgpd", "-c", "clear bgp *")
	return err
}

// restarts: the border's agent restarts without a packet lost; its bgpd is killed, and back with all that it had.
func (x outsideTest) restarts(ctx context.Context, t *testing.T) {
	t.Helper()
	if o := x.measured(ctx, t, "agent of the border killed", func() {
		if err := x.f.Lab.Kill(ctx, border, "agent", syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		x.awaitStart(ctx, t, "agent")
		x.awaitSession(ctx, t, "Established")
	}); o.Lost > 0 {
		t.Errorf("agent of the border killed: %d packets lost", o.Lost)
	}
	if o := x.measured(ctx, t, "bgpd of the border killed", func() {
		if err := x.f.Lab.Kill(ctx, border, "bgpd", syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		x.awaitStart(ctx, t, "bgpd")
		x.awaitSession(ctx, t, "Established")
		x.reachOutside(ctx, t)
	}); o.Outage > restartBound {
		t.Errorf("bgpd of the border killed: an outage of %v, more than %v", o.Outage, restartBound)
	}
	x.assertTold(ctx, t)
}

// awaitStart waits until a service of the border runs again, after it was killed.
func (x outsideTest) awaitStart(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	await(ctx, t, name+" is started again", func(ctx context.Context) error {
		services, err := x.f.Lab.Services(ctx, border)
		if err != nil {
			return err
		}
		for _, s := range services {
			if s.Name == name && s.Running && s.Starts > 1 {
				return nil
			}
		}
		return fmt.Errorf("%+v", services)
	})
}

// borderDownAndUp: the border loses its power and comes back.
func (x outsideTest) borderDownAndUp(ctx context.Context, t *testing.T) {
	t.Helper()
	x.goneAndBack(ctx, t, "border destroyed", withdrawBound, 2*restartBound,
		func() error { return x.f.Lab.PowerOff(ctx, border) }, func() error { return x.f.Lab.PowerOn(ctx, border) })
	x.awaitSession(ctx, t, "Established")
	x.assertTold(ctx, t)
}
