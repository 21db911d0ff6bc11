package guest

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	frrtemplates "github.com/pointsman/pointsman/frr-templates"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/test/frrguest"
)

// node is a switch or a machine in a network namespace of its own, with FRR.
type node struct {
	name   string
	number int // of a leaf
	frr    *frrguest.FRR
	client *frrsystem.Client
}

// fabric is a spine, two leaves, and a machine with FRR that is cabled to both: enough for a session of each kind.
type fabric struct {
	spine, leaf1, leaf2, machine node
}

// The VRFs of the test: the machine's own, and another tenant's.
const (
	ownVNI     = netmodel.FirstVNI
	foreignVNI = netmodel.FirstVNI + 1
)

func run(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	return string(out)
}

// ip runs ip commands in a namespace, in one process.
func ip(t *testing.T, netns string, commands ...string) {
	t.Helper()
	cmd := exec.Command("ip", "-n", netns, "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip in %s: %v\n%s", netns, err, out)
	}
}

func newFabric(t *testing.T, v frrguest.Version) fabric {
	t.Helper()
	f := fabric{leaf1: node{number: 1}, leaf2: node{number: 2}}
	for _, n := range []struct {
		into *node
		name string
	}{{&f.spine, "spine"}, {&f.leaf1, "leaf1"}, {&f.leaf2, "leaf2"}, {&f.machine, "m1"}} {
		run(t, "ip", "netns", "add", n.name)
		t.Cleanup(func() { run(t, "ip", "netns", "del", n.name) })
		run(t, "ip", "netns", "exec", n.name, "sysctl", "-wq", "net.ipv4.conf.all.forwarding=1", "net.ipv6.conf.all.forwarding=1",
			"net.ipv6.conf.default.accept_dad=0", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
		ip(t, n.name, "link set lo up")
		n.into.name = n.name
	}
	for _, link := range []string{"leaf1 swp9 spine swp1", "leaf2 swp9 spine swp2", "leaf1 swp1 m1 eth0", "leaf2 swp1 m1 eth1"} {
		e := strings.Fields(link)
		ip(t, e[0], fmt.Sprintf("link add %s type veth peer name %s netns %s", e[1], e[3], e[2]))
		ip(t, e[2], "link set "+e[3]+" up")
	}
	for i, leaf := range []string{"leaf1", "leaf2"} {
		tenantDevices(t, leaf, fmt.Sprintf("10.0.0.%d", i+1))
		ip(t, leaf, "link set swp9 up")
	}
	ip(t, "spine", "addr add 10.0.0.101/32 dev lo")
	ip(t, "m1", "addr add 10.1.0.1/32 dev lo", "addr add fd00:1::1/128 dev lo", "addr add 10.9.9.9/32 dev lo")
	for _, n := range []*node{&f.spine, &f.leaf1, &f.leaf2, &f.machine} {
		n.frr = v.Start(t, n.name)
		n.client = frrsystem.New(frrsystem.Options{Dir: n.frr.Dir, ConfigFile: filepath.Join(n.frr.Dir, "frr.conf"), Elsewhere: frrsystem.Elsewhere{Command: n.frr.Command()}})
		t.Cleanup(func() { n.client.Close() })
	}
	t.Cleanup(func() {
		if t.Failed() {
			f.tell(t)
		}
	})
	return f
}

// tell logs what the leaves and the machine know of each other.
func (f fabric) tell(t *testing.T) {
	for _, n := range []node{f.leaf1, f.leaf2, f.machine} {
		ports := []string{"eth0", "eth1"}
		if n.number > 0 {
			ports = []string{"swp1"}
		}
		args := []string{"-c", "show bgp vrf all summary", "-c", "show bfd vrf all peers brief"}
		for _, port := range ports {
			args = append(args, "-c", "show bgp vrf all neighbors "+port, "-c", "show interface "+port)
		}
		text, err := n.frr.Shell(args...)
		log, _ := n.frr.Log(0)
		t.Logf("%s (%v):\n%s\nfrom its log:\n%s", n.name, err, text, about(log, ports...))
	}
}

// about are the lines of a log that name one of some ports, without commands.
func about(log string, ports ...string) string {
	var out strings.Builder
	for line := range strings.Lines(log) {
		if !commandPattern.MatchString(line) && slices.ContainsFunc(ports, func(port string) bool { return strings.Contains(line, port) }) {
			out.WriteString(line)
		}
	}
	return out.String()
}

// tenantDevices makes on a leaf what the agent's Linux part makes for two VRFs.
func tenantDevices(t *testing.T, leaf, loopback string) {
	t.Helper()
	ip(t, leaf, "addr add "+loopback+"/32 dev lo", "link add bridge type bridge vlan_filtering 1 vlan_default_pvid 0", "link set bridge up")
	for i, vni := range []netmodel.VNI{ownVNI, foreignVNI} {
		vlan := 1001 + i
		ip(t, leaf,
			fmt.Sprintf("link add Vrf%d type vrf table %d", vni, vlan), fmt.Sprintf("link set Vrf%d up", vni),
			fmt.Sprintf("route add unreachable default table %d metric 4278198272", vlan),
			fmt.Sprintf("route add unreachable ::/0 table %d metric 4278198272", vlan),
			fmt.Sprintf("link add vni%d type vxlan id %d local %s dstport 4789 nolearning", vni, vni, loopback),
			fmt.Sprintf("link set vni%d master bridge", vni),
			fmt.Sprintf("link add link bridge name Vlan%d type vlan id %d", vlan, vlan),
			fmt.Sprintf("link set Vlan%d master Vrf%d", vlan, vni),
			fmt.Sprintf("link set Vlan%d up", vlan), fmt.Sprintf("link set vni%d up", vni),
		)
		run(t, "bridge", "-n", leaf, "vlan", "add", "dev", fmt.Sprintf("vni%d", vni), "vid", fmt.Sprint(vlan), "pvid", "untagged")
		run(t, "bridge", "-n", leaf, "vlan", "add", "dev", "bridge", "vid", fmt.Sprint(vlan), "self")
	}
}

// bfdInterval leaves room for a guest whose one CPU is busy elsewhere.
const bfdInterval = 1000 // milliseconds

// input is a leaf with the machine on swp1 in the VRF of vni; 0 means nobody is there.
func (n node) input(t *testing.T, vni netmodel.VNI) frrtemplates.Input {
	t.Helper()
	in := frrtemplates.Input{
		Hostname: n.name, Role: netmodel.RoleLeaf, ASN: uint32(netmodel.FirstSwitchASN) + uint32(n.number),
		RouterID: netip.AddrFrom4([4]byte{10, 0, 0, byte(n.number)}), Uplinks: []string{"swp9"}, MachinePorts: []string{"swp1"},
		BFDInterval: bfdInterval, StrictBFD: n.client.StrictBFD(timeout(t, 10*time.Second)),
	}
	for _, v := range []netmodel.VNI{ownVNI, foreignVNI} {
		vrf := frrtemplates.VRF{Name: netmodel.VRFName(v), VNI: v}
		if v == vni {
			vrf.Neighbours = []frrtemplates.Neighbour{{Port: "swp1", ASN: netmodel.FirstMachineASN, MaximumPrefix: 2, Grants: []netmodel.Grant{
				{Prefix: netip.MustParsePrefix("10.1.0.1/32")}, {Prefix: netip.MustParsePrefix("fd00:1::1/128")},
			}}}
		}
		in.VRFs = append(in.VRFs, vrf)
	}
	return in
}

// wish is the configuration of a leaf with the machine in the VRF of vni.
func (n node) wish(t *testing.T, vni netmodel.VNI) frr.Config {
	t.Helper()
	return parse(t, render(t, n.input(t, vni)))
}

func render(t *testing.T, in frrtemplates.Input) string {
	t.Helper()
	text, err := frrtemplates.Render(in)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// rogue is a machine's own FRR. It announces its address, another one, and the route target of another tenant.
const rogue = `hostname m1
interface eth0
 ipv6 nd ra-interval 1
 no ipv6 nd suppress-ra
exit
interface eth1
 ipv6 nd ra-interval 1
 no ipv6 nd suppress-ra
exit
router bgp 4201000000
 bgp router-id 10.1.0.1
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 bgp bestpath as-path multipath-relax
 neighbor eth0 interface remote-as external
 neighbor eth0 timers connect 1
 neighbor eth1 interface remote-as external
 neighbor eth1 timers connect 1
 address-family ipv4 unicast
  network 10.1.0.1/32
  network 10.9.9.9/32
  neighbor eth0 activate
  neighbor eth0 route-map ROGUE out
  neighbor eth1 activate
  neighbor eth1 route-map ROGUE out
 exit-address-family
 address-family ipv6 unicast
  network fd00:1::1/128
  neighbor eth0 activate
  neighbor eth0 route-map ROGUE out
  neighbor eth1 activate
  neighbor eth1 route-map ROGUE out
 exit-address-family
exit
route-map ROGUE permit 10
 set extcommunity rt 64512:100001
 set community 65000:1 no-export
 set large-community 1:2:3
exit
`

// up configures everybody and attaches the machine to its own VRF on both leaves.
func (f fabric) up(t *testing.T) {
	t.Helper()
	apply(t, f.spine.client, parse(t, render(t, frrtemplates.Input{
		Hostname: "spine", Role: netmodel.RoleSpine, ASN: uint32(netmodel.LastSwitchASN),
		RouterID: netip.MustParseAddr("10.0.0.101"), Uplinks: []string{"swp1", "swp2"}, BFDInterval: bfdInterval,
	})))
	for _, leaf := range []node{f.leaf1, f.leaf2} {
		// A neighbour that is configured while its port is in another VRF is now and then never told the machine's address.
		ip(t, leaf.name, fmt.Sprintf("link set swp1 master Vrf%d", ownVNI))
		apply(t, leaf.client, leaf.wish(t, ownVNI))
	}
	if out, err := f.machine.frr.Load(rogue); err != nil {
		t.Fatal(err, out)
	}
	for _, leaf := range []string{"leaf1", "leaf2"} {
		ip(t, leaf, "link set swp1 up")
	}
}

// session is one neighbour of a node, or none.
func (n node) session(t *testing.T, vrf, port string) frrsystem.Session {
	t.Helper()
	sessions, err := n.client.Sessions(timeout(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sessions {
		if s.VRF == vrf && s.Interface == port {
			return s
		}
	}
	return frrsystem.Session{}
}

// eventually waits until ok, at most 20 seconds, and says how long it took.
func eventually(t *testing.T, what string, ok func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not after 20 s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return time.Since(begin).Round(time.Millisecond)
}
