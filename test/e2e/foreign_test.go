package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/fabric"
)

// TestForeignAnnouncements: a machine that announces a foreign prefix, or another network's route target, changes nothing in any
// VRF, whichever speaker it runs.
func TestForeignAnnouncements(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		blue := network(ctx, t, f, "foreign-blue", "10.1.0.0/24", "fd01::/64")
		network(ctx, t, f, "foreign-green", "10.2.0.0/24", "fd02::/64")
		victim := allocate(ctx, t, f, "foreign-blue", "machine01")
		witness := allocate(ctx, t, f, "foreign-blue", "machine04")
		evil := allocate(ctx, t, f, "foreign-green", "machine02")
		friend := allocate(ctx, t, f, "foreign-green", "machine05")
		before := fabricRoutes(ctx, t, f)
		for _, want := range []string{"table", "RT:64512:"} { // the control: there is something to compare
			if !slices.ContainsFunc(before, func(line string) bool { return strings.Contains(line, want) }) {
				t.Fatalf("no line with %q among %q", want, before)
			}
		}
		lies := []netip.Prefix{
			netip.PrefixFrom(addresses(t, victim)[0], 32), // another tenant's machine
			netip.MustParsePrefix("10.1.0.0/24"),
			netip.MustParsePrefix("10.2.0.200/32"), // its own network, not granted to it
			netip.MustParsePrefix("203.0.113.0/24"),
			netip.MustParsePrefix("0.0.0.0/0"),
			netip.PrefixFrom(addresses(t, victim)[1], 128),
			netip.MustParsePrefix("fd01::/64"),
			netip.MustParsePrefix("fd02::200/128"),
			netip.MustParsePrefix("2001:db8::/32"),
			netip.MustParsePrefix("::/0"),
		}
		target := fmt.Sprintf("64512:%d", blue.Vni)

		t.Run("our speaker", func(t *testing.T) {
			restore := lieWithOurSpeaker(ctx, t, f, evil, lies, target)
			assertUnmoved(ctx, t, f, before)
			restore()
		})
		await(ctx, t, "the honest speaker is back", func(ctx context.Context) error { return reachable(ctx, t, f, evil, friend) })
		t.Run("FRR", func(t *testing.T) {
			restore := lieWithFRR(ctx, t, f, evil, lies, target)
			assertUnmoved(ctx, t, f, before)
			restore()
		})
		await(ctx, t, "the honest speaker is back", func(ctx context.Context) error { return reachable(ctx, t, f, evil, friend) })
		reach(ctx, t, f, witness, victim, 0)
		release(ctx, t, f, victim, witness, evil, friend)
	})
}

func reachable(ctx context.Context, t *testing.T, f *fabric.Fabric, from, to *apiv1.Allocation) error {
	target := addresses(t, to)[0]
	r, err := f.Ping(ctx, from.Machine, fabric.Ping{To: target, From: sameFamily(t, from, target), Count: 2})
	if err == nil && r.Received == 0 {
		err = fmt.Errorf("%s does not reach %s", from.Machine, target)
	}
	return err
}

// lieWithOurSpeaker has the host speaker announce more than it may, with its session up: the control is that its own address stays
// announced, by assertUnmoved.
func lieWithOurSpeaker(ctx context.Context, t *testing.T, f *fabric.Fabric, evil *apiv1.Allocation, lies []netip.Prefix, target string) (restore func()) {
	t.Helper()
	before, err := filtered(ctx, f, evil)
	if err != nil {
		t.Fatal(err)
	}
	const file = "/etc/pointsman/host.yaml"
	honest, err := f.Lab.ReadFile(ctx, evil.Machine, file)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := yaml.Unmarshal(honest, &config); err != nil {
		t.Fatal(err)
	}
	var extra []map[string]any
	for _, p := range lies {
		extra = append(extra, map[string]any{"prefix": p.String(), "extended-communities": []string{"rt:" + target}, "communities": []string{"64512:1"}})
	}
	config["extra-announcements"] = extra
	text, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	restart := func(content []byte) {
		if err := f.Lab.WriteFile(ctx, evil.Machine, file, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := f.Lab.Service(ctx, evil.Machine, "host", "stop"); err != nil {
			t.Fatal(err)
		}
		if err := f.Lab.Service(ctx, evil.Machine, "host", "start"); err != nil {
			t.Fatal(err)
		}
	}
	restart(text)
	awaitLies(ctx, t, f, evil, before, len(lies))
	return func() { restart(honest) }
}

// lieWithFRR runs FRR on the machine instead of our speaker.
func lieWithFRR(ctx context.Context, t *testing.T, f *fabric.Fabric, evil *apiv1.Allocation, lies []netip.Prefix, target string) (restore func()) {
	t.Helper()
	before, err := filtered(ctx, f, evil)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Lab.Service(ctx, evil.Machine, "host", "stop"); err != nil {
		t.Fatal(err)
	}
	var statics, own strings.Builder
	networks := map[bool]*strings.Builder{true: {}, false: {}}
	for _, p := range lies {
		fmt.Fprintf(&statics, "%s route %s blackhole\n", map[bool]string{true: "ip", false: "ipv6"}[p.Addr().Is4()], p)
		fmt.Fprintf(networks[p.Addr().Is4()], "  network %s\n", p)
	}
	for _, a := range addresses(t, evil) {
		fmt.Fprintf(&own, "ip address replace %s/%d dev lo\n", a, a.BitLen())
		fmt.Fprintf(networks[a.Is4()], "  network %s/%d\n", a, a.BitLen())
	}
	config := fmt.Sprintf(`%sroute-map LIES permit 10
 set extcommunity rt %s
 set community 64512:1
router bgp %d
 bgp router-id %s
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor lan0 interface remote-as external
 neighbor lan1 interface remote-as external
 address-family ipv4 unicast
  neighbor lan0 route-map LIES out
  neighbor lan1 route-map LIES out
%s exit-address-family
 address-family ipv6 unicast
  neighbor lan0 activate
  neighbor lan1 activate
  neighbor lan0 route-map LIES out
  neighbor lan1 route-map LIES out
%s exit-address-family
`, statics.String(), target, evil.Asn, addresses(t, evil)[0], networks[true], networks[false])
	if err := f.Lab.WriteFile(ctx, evil.Machine, "/etc/frr/liar.conf", []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	sh(ctx, t, f, evil.Machine, `mkdir -p /run/frr /var/log/frr && chown frr:frr /run/frr
%s
for d in zebra bgpd staticd; do /usr/lib/frr/$d -d -u frr -g frr -f /dev/null -A 127.0.0.1 -P 0; done
vtysh -f /etc/frr/liar.conf`, own.String())
	awaitLies(ctx, t, f, evil, before, len(lies))
	return func() {
		sh(ctx, t, f, evil.Machine, `kill -9 $(cat /run/frr/staticd.pid) $(cat /run/frr/bgpd.pid) $(cat /run/frr/zebra.pid); rm -rf /run/frr /etc/frr/liar.conf; for f in -4 -6; do for p in bgp static; do ip $f route flush proto $p; done; done; true`)
		if err := f.Lab.Service(ctx, evil.Machine, "host", "start"); err != nil {
			t.Fatal(err)
		}
	}
}

// filtered is how many prefixes leaf01's import route-map of a machine's port has judged so far.
func filtered(ctx context.Context, f *fabric.Fabric, a *apiv1.Allocation) (int, error) {
	for _, p := range a.Ports {
		if p.Switch != "leaf01" {
			continue
		}
		out, err := f.Lab.Run(ctx, "leaf01", "vtysh", "-d", "bgpd", "-c", "show route-map PM-IN-"+p.Port)
		if err != nil {
			return 0, err
		}
		var judged int
		if _, tail, ok := strings.Cut(out, "Invoked: "); !ok {
			return 0, fmt.Errorf("no count in %q", out)
		} else if _, err := fmt.Sscanf(tail, "%d", &judged); err != nil {
			return 0, fmt.Errorf("read count in %q: %w", out, err)
		}
		return judged, nil
	}
	return 0, fmt.Errorf("machine %s has no port on leaf01", a.Machine)
}

// awaitLies is the control that the lies were told: leaf01's filter has judged all of them, beside the machine's own addresses.
func awaitLies(ctx context.Context, t *testing.T, f *fabric.Fabric, a *apiv1.Allocation, before, lies int) {
	t.Helper()
	await(ctx, t, "leaf01 judges the lies", func(context.Context) error {
		judged, err := filtered(ctx, f, a)
		if want := before + lies + len(addresses(t, a)); err == nil && judged < want {
			err = fmt.Errorf("it judged %d prefixes, want %d", judged, want)
		}
		return err
	})
}

// assertUnmoved watches for a few seconds that routes everywhere are what they were.
func assertUnmoved(ctx context.Context, t *testing.T, f *fabric.Fabric, before []string) {
	t.Helper()
	await(ctx, t, "the machine's own address is announced as before", func(context.Context) error {
		if gone := missing(before, fabricRoutes(ctx, t, f)); len(gone) > 0 {
			return fmt.Errorf("gone: %s", strings.Join(gone, "; "))
		}
		return nil
	})
	for range 2 {
		after := fabricRoutes(ctx, t, f)
		if added := missing(after, before); len(added) > 0 {
			t.Errorf("somebody's word changed routes: added %s", strings.Join(added, "; "))
		}
		if gone := missing(before, after); len(gone) > 0 {
			t.Errorf("somebody's word changed routes: gone %s", strings.Join(gone, "; "))
		}
		time.Sleep(time.Second) // a watch over time, not a wait for something
	}
}

func missing(of, in []string) []string {
	var out []string
	for _, line := range of {
		if !slices.Contains(in, line) {
			out = append(out, line)
		}
	}
	return out
}

// fabricRoutes lists every route of every VRF's kernel table on every leaf and border, and every type 5 route on every spine with its route
// targets.
func fabricRoutes(ctx context.Context, t *testing.T, f *fabric.Fabric) []string {
	t.Helper()
	var out []string
	for _, leaf := range tenantSwitches(f) {
		for line := range strings.Lines(sh(ctx, t, f, leaf, "ip -4 -o route show table all; ip -6 -o route show table all")) {
			if route, ok := vrfRoute(strings.Fields(line)); ok {
				out = append(out, leaf+": "+route)
			}
		}
	}
	for _, spine := range f.SwitchNames("spine") {
		out = append(out, typeFive(spine, sh(ctx, t, f, spine, "vtysh -d bgpd -c 'show bgp l2vpn evpn route type prefix'"))...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// vrfRoute reads "[type] PREFIX … table NUMBER …" of a route in a VRF's table: those of names, such as main, local and VRF mgmt's
// and provisioning's subnets by the kernel, are others'.
func vrfRoute(fields []string) (string, bool) {
	i := slices.Index(fields, "table")
	if i < 1 || i+1 >= len(fields) {
		return "", false
	}
	table := fields[i+1]
	if len(table) < 4 || strings.Trim(table, "0123456789") != "" || slices.Contains([]string{"local", "broadcast", "multicast", "anycast"}, fields[0]) ||
		strings.HasPrefix(fields[0], "fe80:") || strings.HasPrefix(fields[0], "ff00:") {
		return "", false
	}
	prefix := fields[0]
	if strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyz") == "" && prefix != "default" {
		prefix += " " + fields[1] // unreachable default
	}
	return "table " + table + " " + prefix, true
}

// typeFive reads FRR's table of type 5 routes: route distinguishers, under each the prefixes, under each the route targets.
func typeFive(spine, text string) []string {
	var out []string
	var rd, prefix string
	for line := range strings.Lines(text) {
		switch line = strings.Join(strings.Fields(line), " "); {
		case strings.HasPrefix(line, "Route Distinguisher"):
			rd = line
		case strings.Contains(line, "[5]:"):
			prefix = line[strings.Index(line, "[5]:"):]
		case strings.Contains(line, "RT:"):
			out = append(out, strings.Join([]string{spine + ":", rd, prefix, line}, " "))
		}
	}
	return out
}
