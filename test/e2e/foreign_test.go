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
		lies := []netip.Prefix{
			netip.PrefixFrom(addresses(t, victim)[0], 32), // another tenant's machine
			netip.MustParsePrefix("10.1.0.0/24"),
			netip.MustParsePrefix("10.2.0.200/32"), // its own network, not granted to it
			netip.MustParsePrefix("203.0.113.0/24"),
			netip.MustParsePrefix("0.0.0.0/0"),
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
	await(ctx, t, "the liar announces to leaf01", func(ctx context.Context) error { return announces(ctx, f, evil, len(lies)) })
	return func() { restart(honest) }
}

// lieWithFRR runs FRR on the machine instead of our speaker.
func lieWithFRR(ctx context.Context, t *testing.T, f *fabric.Fabric, evil *apiv1.Allocation, lies []netip.Prefix, target string) (restore func()) {
	t.Helper()
	if err := f.Lab.Service(ctx, evil.Machine, "host", "stop"); err != nil {
		t.Fatal(err)
	}
	var statics, networks strings.Builder
	for _, p := range append(slices.Clone(lies), netip.PrefixFrom(addresses(t, evil)[0], 32)) {
		fmt.Fprintf(&statics, "ip route %s blackhole\n", p)
		fmt.Fprintf(&networks, "  network %s\n", p)
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
`, "", target, evil.Asn, addresses(t, evil)[0], networks.String())
	if err := f.Lab.WriteFile(ctx, evil.Machine, "/etc/frr/liar.conf", []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	sh(ctx, t, f, evil.Machine, `mkdir -p /run/frr /var/log/frr && chown frr:frr /run/frr
ip address replace %s/32 dev lo
for d in zebra bgpd; do /usr/lib/frr/$d -d -u frr -g frr -f /dev/null -A 127.0.0.1 -P 0; done
vtysh -f /etc/frr/liar.conf`, addresses(t, evil)[0])
	await(ctx, t, "the liar announces to leaf01", func(ctx context.Context) error { return announces(ctx, f, evil, len(lies)) })
	return func() {
		sh(ctx, t, f, evil.Machine, `kill -9 $(cat /run/frr/bgpd.pid) $(cat /run/frr/zebra.pid); rm -rf /run/frr /etc/frr/liar.conf; ip route flush proto bgp; ip -6 route flush proto bgp; true`)
		if err := f.Lab.Service(ctx, evil.Machine, "host", "start"); err != nil {
			t.Fatal(err)
		}
	}
}

// announces says whether the session of a machine on leaf01 is established and has received at least n prefixes, whatever the filter
// made of them: the control that the lies were told.
func announces(ctx context.Context, f *fabric.Fabric, a *apiv1.Allocation, n int) error {
	port := ""
	for _, p := range a.Ports {
		if p.Switch == "leaf01" {
			port = p.Port
		}
	}
	// Denied prefixes are counted where bgpd counts updates.
	out, err := f.Lab.Run(ctx, "leaf01", "sh", "-c", "vtysh -c 'show bgp vrf all neighbors "+port+" json' | tr -d ' \\n'")
	if err != nil {
		return err
	}
	if !strings.Contains(out, `"bgpState":"Established"`) {
		return fmt.Errorf("session on leaf01 %s is not established", port)
	}
	var received int
	if _, tail, ok := strings.Cut(out, `"updatesRecv":`); ok {
		fmt.Sscanf(tail, "%d", &received)
	}
	if received < 2 {
		return fmt.Errorf("leaf01 received %d updates on %s", received, port)
	}
	return nil
}

// assertUnmoved watches for a few seconds that routes everywhere are what they were.
func assertUnmoved(ctx context.Context, t *testing.T, f *fabric.Fabric, before []string) {
	t.Helper()
	await(ctx, t, "the machine's own address is announced as before", func(ctx context.Context) error {
		if gone := missing(before, fabricRoutes(ctx, t, f)); len(gone) > 0 {
			return fmt.Errorf("gone: %s", strings.Join(gone, "; "))
		}
		return nil
	})
	for range 3 {
		after := fabricRoutes(ctx, t, f)
		if added := missing(after, before); len(added) > 0 {
			t.Errorf("a machine's word changed routes: added %s", strings.Join(added, "; "))
		}
		if gone := missing(before, after); len(gone) > 0 {
			t.Errorf("a machine's word changed routes: gone %s", strings.Join(gone, "; "))
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

// fabricRoutes lists every route of every VRF's kernel table on every leaf, and every type 5 route on every spine with its route
// targets.
func fabricRoutes(ctx context.Context, t *testing.T, f *fabric.Fabric) []string {
	t.Helper()
	var out []string
	for _, leaf := range f.SwitchNames("leaf") {
		text := sh(ctx, t, f, leaf, `for v in $(ip -br link show type vrf | awk '/^Vrf/{print $1}'); do for f in -4 -6; do ip $f route show vrf $v | awk -v v=$v '/^[^ ]/{d=$1; if ($1=="unreachable"||$1=="blackhole") d=$1" "$2; print v" "d}'; done; done`)
		for line := range strings.Lines(text) {
			if !strings.Contains(line, "fe80::") && !strings.Contains(line, "multicast") {
				out = append(out, leaf+": "+strings.TrimSpace(line))
			}
		}
	}
	for _, spine := range f.SwitchNames("spine") {
		text := sh(ctx, t, f, spine, `vtysh -c 'show bgp l2vpn evpn route type prefix' | awk '/Route Distinguisher/{rd=$0} /\[5\]/{p=$0} /RT:/{print rd" "p" "$0}' | sed 's/  */ /g'`)
		for line := range strings.Lines(text) {
			out = append(out, spine+": "+strings.TrimSpace(line))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
