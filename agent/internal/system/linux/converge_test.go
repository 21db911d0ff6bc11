package linux

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// What the model calls a leaf must be one to others' eyes too.
func TestDevicesAsIproute2SeesThem(t *testing.T) {
	l := newLeaf(t)
	l.converge(leafIntent(tenantPort("swp1", 104001, 1)))
	for _, c := range []struct{ command, want string }{
		{"ip -d link show bridge", "link/ether 02:50:0a:ff:00:0b"},
		{"ip -d link show bridge", "mtu 9166"},
		{"ip -d link show bridge", "vlan_filtering 1"},
		{"ip -d link show bridge", "vlan_default_pvid 0"},
		{"ip -d link show vni104001", "vxlan id 104001 local 10.255.0.11"},
		{"ip -d link show vni104001", "dstport 4789 nolearning"},
		{"ip -d link show vni104001", "addrgenmode none"},
		{"ip -d link show vni104001", "learning off"},
		{"ip -d link show vni104001", "neigh_suppress on"},
		{"ip -d link show Vlan1000", "vlan protocol 802.1Q id 1000"},
		{"ip -d link show Vlan1000", "master Vrf104001"},
		{"ip -d link show Vrf104001", "vrf table 1001"},
		{"ip -d link show swp1", "mtu 9216"},
		{"ip -d link show swp1", "master Vrf104001"},
		{"ip -d link show swp2", "isolated on"},
		{"bridge vlan show dev swp2", "20 PVID Egress Untagged"},
		{"bridge vlan show dev vni104001", "1000 PVID Egress Untagged"},
		{"ip route show vrf Vrf104001", "unreachable default"},
		{"ip -6 route show vrf Vrf104001", "unreachable default"},
		{"ip route show vrf Vrf104001", "metric 4278198272"},
		{"ip addr show dev Vlan20", "10.20.1.1/24"},
		{"ip addr show dev lo", "10.255.0.11/32"},
		{"ip -6 addr show dev swp1 scope link", "fe80::"},
	} {
		if out := strings.Join(strings.Fields(l.Command(c.command)), " "); !strings.Contains(out, c.want) {
			t.Errorf("%s does not say %q:\n%s", c.command, c.want, out)
		}
	}
	for _, family := range []string{"-4", "-6"} {
		rules := l.IP("%s rule", family)
		if strings.Count(rules, "l3mdev") != 1 {
			t.Errorf("there is not one l3mdev rule:\n%s", rules)
		}
		if strings.Contains(rules, "0:\tfrom all lookup local\n1000") || strings.Index(rules, "l3mdev") > strings.Index(rules, "lookup local") {
			t.Errorf("the local table is asked before the VRFs':\n%s", rules)
		}
	}
}

// The settings of devices are read from an array in the link dump; it must mean what /proc/sys says.
func TestDeviceSysctlsAreWhatProcSays(t *testing.T) {
	l := newLeaf(t)
	l.converge(leafIntent())
	for i, path := range []string{"net/ipv4/conf/swp1/rp_filter", "net/ipv4/conf/swp2/ignore_routes_with_linkdown", "net/ipv6/conf/swp1/ignore_routes_with_linkdown",
		"net/ipv6/conf/swp1/accept_dad", "net/ipv6/conf/swp2/accept_ra", "net/ipv6/conf/swp3/disable_ipv6"} {
		value := []string{"1", "0", "0", "2", "2", "1"}[i]
		if err := os.WriteFile("/proc/sys/"+path, []byte(value), 0o644); err != nil {
			t.Fatal(err)
		}
		st, err := l.Observe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := st.Kernel.Sysctls[path]; got != value {
			t.Errorf("%s is observed as %q, is %q", path, got, value)
		}
	}
	l.converge(leafIntent())
}

// A drifted switch is repaired in one pass, by the steps that the drift takes and no others.
func TestRepairsDrift(t *testing.T) {
	l := newLeaf(t)
	intent := leafIntent(tenantPort("swp1", 104001, 1))
	l.converge(intent)
	for _, drift := range []struct {
		commands []string
		want     []string
	}{
		{[]string{"ip link set swp2 mtu 1500"}, []string{"set swp2 mtu 9216"}},
		{[]string{"ip link set swp1 down"}, []string{"set swp1 up"}},
		{[]string{"ip link set swp1 nomaster"}, []string{"set swp1 down", "move swp1 from no vrf to Vrf104001", "set swp1 up"}},
		{[]string{"ip link set bridge address 02:00:00:00:00:01"}, []string{"set bridge mac 02:50:0a:ff:00:0b"}},
		{[]string{"ip rule add pref 0 lookup local", "ip rule del pref 32765"}, []string{"add IPv4 rule 32765 local", "delete IPv4 rule 0 local"}},
		{[]string{"ip -6 rule del pref 1000"}, []string{"add IPv6 rule 1000 l3mdev"}},
		{[]string{"ip route del unreachable default metric 4278198272 table 1001"}, []string{"add unreachable IPv4 default to table 1001 of Vrf104001"}},
		{[]string{"ip addr del 10.20.1.1/24 dev Vlan20"}, []string{"add address 10.20.1.1/24 to Vlan20"}},
		{[]string{"ip addr add 10.20.9.1/24 dev Vlan20"}, []string{"delete address 10.20.9.1/24 from Vlan20"}},
		{[]string{"bridge link set dev swp2 isolated off"}, []string{"set swp2 isolated on"}},
		{[]string{"bridge vlan add dev swp2 vid 99"}, []string{"delete swp2 from vlan 99"}},
		{[]string{"bridge vlan add dev swp2 vid 98 pvid untagged"}, []string{"delete swp2 from vlan 98", "add swp2 to vlan 20 pvid untagged"}},
		{[]string{"bridge vlan del dev bridge vid 1000 self"}, []string{"add bridge to vlan 1000"}},
		{[]string{"bridge link set dev vni104001 learning on neigh_suppress off"}, []string{"set vni104001 learning off", "set vni104001 neigh_suppress on"}},
		{[]string{"ip link set vni104001 type vxlan id 104001 learning"}, []string{"delete vxlan vni104001", "add vxlan vni104001 local 10.255.0.11 vlan 1000"}},
		{[]string{"ip link del vni104001"}, []string{"add vxlan vni104001 local 10.255.0.11 vlan 1000"}},
		{[]string{"ip link set Vlan1000 mtu 1500"}, []string{"set Vlan1000 mtu 9166"}},
		{[]string{"ip link del Vlan1000"}, []string{"add svi Vlan1000 in Vrf104001"}},
		{[]string{"ip link set bridge type bridge vlan_filtering 0"}, []string{"set bridge vlan_filtering 1 default_pvid 0"}},
		{[]string{"ip link add Vrf7 type vrf table 77", "ip link add vni7 type vxlan id 7 dstport 4789"}, []string{"delete vxlan vni7", "delete vrf Vrf7"}},
		{[]string{"ip link del Vrf104001"}, []string{
			"add vrf Vrf104001 table 1001", "add unreachable IPv4 default to table 1001 of Vrf104001", "add unreachable IPv6 default to table 1001 of Vrf104001",
			"move Vlan1000 from no vrf to Vrf104001",
			"set swp1 down", "move swp1 from no vrf to Vrf104001", "set swp1 up",
		}},
		{[]string{"ip link del bridge"}, []string{
			"add bridge bridge mac 02:50:0a:ff:00:0b mtu 9166", "add bridge to vlan 20", "add bridge to vlan 1000",
			"add svi Vlan20 in provision", "add svi Vlan1000 in Vrf104001", "move vni104001 from no vrf to bridge",
			"set vni104001 learning off", "set vni104001 neigh_suppress on", "add vni104001 to vlan 1000 pvid untagged",
			"set swp2 down", "move swp2 from no vrf to bridge", "set swp2 isolated on", "add swp2 to vlan 20 pvid untagged",
			"set swp3 down", "move swp3 from no vrf to bridge", "set swp3 isolated on", "add swp3 to vlan 20 pvid untagged", "set swp2 up", "set swp3 up",
		}},
	} {
		for _, c := range drift.commands {
			l.Command(c)
		}
		var got []string
		for _, op := range l.converge(intent) {
			got = append(got, op.String())
		}
		if !slices.Equal(got, drift.want) {
			t.Errorf("after %q: repaired by\n  %s\nwant\n  %s", drift.commands, strings.Join(got, "\n  "), strings.Join(drift.want, "\n  "))
		}
	}
}

// The numbers of what is not ours are avoided.
func TestForeignNumbersAreAvoided(t *testing.T) {
	l := newLeaf(t)
	l.IP("link add mgmt type vrf table 1001")
	l.converge(leafIntent(tenantPort("swp1", 104001, 1)))
	if table := l.agent.Stored.Tables["Vrf104001"]; table != 1002 {
		t.Errorf("the tenant's VRF has table %d; 1001 is taken, 1002 was the lowest free", table)
	}
}

// Where one thing cannot be made, what relies on it stays as it was and says why; everybody else is served.
func TestOneFailureIsolates(t *testing.T) {
	l := newLeaf(t)
	l.converge(leafIntent())
	l.IP("link add Vrf104001 type dummy") // in the place of the VRF
	_, ops := l.plan(leafIntent(tenantPort("swp1", 104001, 1), tenantPort("swp2", 104002, 2)))
	failed := map[string]bool{}
	for _, r := range l.Apply(t.Context(), ops) {
		if r.Err != nil {
			for _, p := range r.Op.Ports() {
				failed[p] = true
			}
		}
	}
	if !failed["swp1"] || failed["swp2"] {
		t.Errorf("failed ports: %v; want swp1 only", failed)
	}
	st, err := l.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p := st.Kernel.Ports["swp1"]; p.Master != plan.BridgeName || !p.Up || !p.Isolated {
		t.Errorf("swp1 did not stay in provisioning: %+v", p)
	}
	if p := st.Kernel.Ports["swp2"]; p.Master != netmodel.VRFName(104002) || !p.Up {
		t.Errorf("swp2 was not served: %+v", p)
	}
	l.IP("link del Vrf104001")
	l.converge(leafIntent(tenantPort("swp1", 104001, 1), tenantPort("swp2", 104002, 2)))
}

// A port has a carrier while its machine has its own end up.
func TestCarrier(t *testing.T) {
	l := newLeaf(t)
	l.converge(leafIntent())
	if !l.Carrier("swp1") || l.Carrier("swp9") {
		t.Errorf("swp1, whose machine is up, has a carrier: %t; swp9, which is not there: %t", l.Carrier("swp1"), l.Carrier("swp9"))
	}
	l.on(1, "ip link set m1 down")
	if l.Carrier("swp1") {
		t.Error("swp1 has a carrier, and its machine is down")
	}
}
