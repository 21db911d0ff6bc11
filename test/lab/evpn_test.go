package lab

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestEVPNPing proves the lab without the agent: two leaves and a spine with FRR configured by hand, a machine behind each
// leaf in the same VRF, and a ping between them that can only go through EVPN type 5 routes and VXLAN.
func TestEVPNPing(t *testing.T) { testEVPNPing(t, Options{}) }

func testEVPNPing(t *testing.T, o Options) {
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	topology := &Topology{
		Name: "evpn", Spines: 1, Racks: []Rack{{Leaves: 1, Machines: 1}, {Leaves: 1, Machines: 1}},
		Services: map[string][]Service{"machine01": frrServices("")[:2], "machine02": frrServices("")[:2]},
	}
	o.Topology = topology
	f := up(t, ctx, o)
	inv := topology.Inventory()
	for i, s := range inv.Switches {
		must(t, f.WriteFile(ctx, s.Name, "/etc/frr/frr.conf", []byte(switchFRR(s)), 0o640))
		must(t, f.WriteFile(ctx, s.Name, "/root/links", []byte(switchLinks(s, i)), 0o644))
		run(t, ctx, f, s.Name, "ip", "-batch", "/root/links")
		if s.Role == RoleLeaf {
			run(t, ctx, f, s.Name, "sh", "-c", leafBridge)
		}
		run(t, ctx, f, s.Name, "vtysh", "-b")
	}
	for i, m := range inv.Machines {
		must(t, f.WriteFile(ctx, m.Name, "/etc/frr/frr.conf", []byte(machineFRR(i)), 0o640))
		run(t, ctx, f, m.Name, "vtysh", "-b")
		run(t, ctx, f, m.Name, "ip", "addr", "add", machineAddress(i)+"/32", "dev", "lo")
	}
	configured := time.Now()
	ping := []string{"ping", "-c", "1", "-W", "1", "-I", machineAddress(0), machineAddress(1)}
	eventually(t, ctx, f, func() error { _, err := f.Run(ctx, "machine01", ping...); return err })
	t.Logf("first answer %.1f s after the last configuration", time.Since(configured).Seconds())

	routes := run(t, ctx, f, "leaf01", "ip", "route", "show", "vrf", "Vrf104001")
	if !strings.Contains(routes, machineAddress(1)) || !strings.Contains(routes, "vlan4001") {
		t.Errorf("leaf01's route to machine02 does not lead through the VNI:\n%s", routes)
	}
	// Its tenant's route must be of EVPN type 5.
	evpn := run(t, ctx, f, "leaf01", "vtysh", "-c", "show bgp l2vpn evpn route type prefix")
	if !strings.Contains(evpn, "[5]:[0]:[32]:["+machineAddress(1)+"]") {
		t.Errorf("leaf01 has no type 5 route to machine02:\n%s", evpn)
	}
	// A full-sized packet of a machine fits, unfragmented.
	run(t, ctx, f, "machine01", "ping", "-c", "1", "-W", "2", "-M", "do", "-s", "8900", "-I", machineAddress(0), machineAddress(1))

	t.Run("FRR survives a killed daemon", func(t *testing.T) {
		must(t, f.Kill(ctx, "leaf01", "bgpd", 9))
		eventually(t, ctx, f, func() error {
			services, err := f.Services(ctx, "leaf01")
			if err != nil {
				return err
			}
			for _, s := range services {
				if s.Name == "bgpd" && s.Starts == 2 && s.Running {
					_, err := f.Run(ctx, "machine01", ping...)
					return err
				}
			}
			return fmt.Errorf("bgpd was not started again: %+v", services)
		})
	})
}

func machineAddress(i int) string { return fmt.Sprintf("10.1.0.%d", i+1) }

func switchLinks(s Switch, index int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "addr add %s/32 dev lo\n", s.Loopback)
	if s.Role == RoleLeaf {
		fmt.Fprintf(&b, "link add bridge address %s type bridge vlan_filtering 1 vlan_default_pvid 0\n", portMAC(0, 500+index, 0))
		b.WriteString("link add Vrf104001 type vrf table 1001\n")
		fmt.Fprintf(&b, "link add vni104001 mtu 9166 type vxlan id 104001 dstport 4789 local %s nolearning\n", s.Loopback)
		b.WriteString("link set vni104001 master bridge addrgenmode none\n")
		b.WriteString("link add link bridge name vlan4001 type vlan id 4001\n")
		b.WriteString("link set vlan4001 master Vrf104001 addrgenmode none\n")
		for _, name := range []string{"bridge", "Vrf104001", "vni104001", "vlan4001"} {
			if name != "Vrf104001" {
				fmt.Fprintf(&b, "link set %s mtu 9166\n", name)
			}
			fmt.Fprintf(&b, "link set %s up\n", name)
		}
		b.WriteString("link set swp1 master Vrf104001\n")
	}
	for _, p := range s.Ports {
		fmt.Fprintf(&b, "link set %s up\n", p.Name)
	}
	return b.String()
}

const leafBridge = `bridge vlan add dev vni104001 vid 4001 pvid untagged && bridge vlan add dev bridge vid 4001 self`

func switchFRR(s Switch) string {
	var b, sessions, activate strings.Builder
	for _, p := range s.Ports {
		if p.Role == RoleUplink {
			fmt.Fprintf(&b, "interface %s\n ipv6 nd ra-interval 1\n no ipv6 nd suppress-ra\nexit\n", p.Name)
			fmt.Fprintf(&sessions, " neighbor %s interface remote-as external\n neighbor %s timers connect 1\n", p.Name, p.Name)
			fmt.Fprintf(&activate, "  neighbor %s activate\n", p.Name)
		}
	}
	if s.Role == RoleLeaf {
		b.WriteString("interface swp1\n ipv6 nd ra-interval 1\n no ipv6 nd suppress-ra\nexit\nvrf Vrf104001\n vni 104001\nexit-vrf\n")
	}
	fmt.Fprintf(&b, "router bgp %d\n bgp router-id %s\n no bgp ebgp-requires-policy\n bgp bestpath as-path multipath-relax\n%s", s.ASN, s.Loopback, &sessions)
	b.WriteString(" address-family ipv4 unicast\n  redistribute connected route-map loopback\n exit-address-family\n")
	fmt.Fprintf(&b, " address-family l2vpn evpn\n%s", &activate)
	if s.Role == RoleLeaf {
		b.WriteString("  advertise-all-vni\n")
	}
	b.WriteString(" exit-address-family\nexit\n")
	if s.Role == RoleLeaf {
		fmt.Fprintf(&b, "router bgp %d vrf Vrf104001\n bgp router-id %s\n no bgp ebgp-requires-policy\n neighbor swp1 interface remote-as external\n neighbor swp1 timers connect 1\n", s.ASN, s.Loopback)
		b.WriteString(" address-family l2vpn evpn\n  advertise ipv4 unicast\n  route-target both 64512:104001\n exit-address-family\nexit\n")
	}
	fmt.Fprintf(&b, "ip prefix-list loopback permit %s\nroute-map loopback permit 10\n match ip address prefix-list loopback\nexit\n", netip.PrefixFrom(s.Loopback, 32))
	return b.String()
}

func machineFRR(i int) string {
	return fmt.Sprintf(`interface lan0
 ipv6 nd ra-interval 1
 no ipv6 nd suppress-ra
exit
router bgp %d
 bgp router-id %s
 no bgp ebgp-requires-policy
 neighbor lan0 interface remote-as external
 neighbor lan0 timers connect 1
 address-family ipv4 unicast
  network %s/32
 exit-address-family
exit
`, 4201000000+i, machineAddress(i), machineAddress(i))
}

func up(t *testing.T, ctx context.Context, o Options) *Fabric {
	t.Helper()
	o.Log = t.Output()
	f, err := Up(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, f.Down()) })
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, ctx context.Context, f *Fabric, node string, argv ...string) string {
	t.Helper()
	out, err := f.Run(ctx, node, argv...)
	must(t, err)
	return out
}

// eventually waits for the real network; on failure it shows what the leaf and the machine hold.
func eventually(t *testing.T, ctx context.Context, f *Fabric, try func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	for _, node := range []string{"leaf01", "machine01"} {
		dump, _ := f.DumpKernel(context.WithoutCancel(ctx), node)
		t.Logf("%s:\n%s", node, dump)
		summary, _ := f.Run(context.WithoutCancel(ctx), node, "vtysh", "-c", "show bgp vrf all summary", "-c", "show bgp l2vpn evpn")
		t.Logf("%s", summary)
	}
	t.Fatal(err)
}
