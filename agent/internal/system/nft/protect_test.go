package nft

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// services of the switch that are no machine's business: SSH, etcd, metrics.
var services = []int{22, 2379, 9273}

func (l *leaf) protect() {
	l.Helper()
	set(l.T, plan.SetProtection{Set: l.protection})
}

func (l *leaf) unprotect() {
	l.Helper()
	if err := (Table{}).Delete(); err != nil {
		l.Fatal(err)
	}
}

// Listeners on the switch are reached from management, and from no machine's port by any address of the switch. Without our table,
// they are: the control.
func TestMachinesReachNoService(t *testing.T) {
	l := newLeaf(t)
	l.listen(append(services, 179)...)
	targets := map[string][]string{
		"m1": append([]string{l.linkLocal("", "swp1") + "%eth0"}, tenantAddresses...),
		"m2": append([]string{l.linkLocal("", "Vlan20") + "%eth0"}, provisionAddresses...),
	}
	for _, protected := range []bool{false, true, false} {
		if protected {
			l.protect()
		} else {
			l.unprotect()
		}
		for _, port := range services {
			if !l.connects("admin", "", "192.0.2.1", port) {
				t.Errorf("protected %v: port %d is not reached from management", protected, port)
			}
			if !l.connects("spine", "", "10.254.0.1", port) {
				t.Errorf("protected %v: port %d is not reached from the spine", protected, port)
			}
			for ns, addresses := range targets {
				for _, a := range addresses {
					if got := l.connects(ns, "", a, port); got == protected {
						t.Errorf("protected %v: %s reaches %s port %d: %v", protected, ns, a, port, got)
					}
				}
			}
		}
	}
}

// What a machine and its switch have to say to each other passes, and nothing that only looks like it.
func TestMachinesMaySpeakTheirProtocols(t *testing.T) {
	l := newLeaf(t)
	l.listen(22, 179)
	gateway := l.linkLocal("", "swp1")
	machine := l.linkLocal("m1", "eth0")
	bfd, vxlan, other := l.receiver("", 3784), l.receiver("", 4789), l.receiver("", 5000)
	l.protect()

	if !l.connects("m1", "", gateway+"%eth0", 179) {
		t.Error("BGP between link-local addresses does not pass")
	}
	if l.connects("m1", "", "10.9.0.1", 179) {
		t.Error("BGP to another address passes")
	}
	if l.connects("m1", "["+machine+"%eth0]:179", gateway+"%eth0", 22) {
		t.Error("from source port 179, SSH is reached")
	}
	for _, tt := range []struct {
		what, ns, from, to string
		hops               int
		heard              func() string
		want               bool
	}{
		{"BFD", "m1", "[" + machine + "%eth0]:49152", "[" + gateway + "%eth0]:3784", 255, bfd, true},
		{"BFD that may have passed a router", "m1", "[" + machine + "%eth0]:49153", "[" + gateway + "%eth0]:3784", 254, bfd, false},
		{"VXLAN from a machine", "m1", "10.1.0.5:49152", "10.9.0.1:4789", 0, vxlan, false},
		{"VXLAN from provisioning", "m2", "10.20.1.50:49152", "10.20.1.1:4789", 0, vxlan, false},
		{"VXLAN from management", "admin", "192.0.2.2:49152", "192.0.2.1:4789", 0, vxlan, false},
		{"VXLAN from a spine", "spine", "10.254.0.0:49152", "10.254.0.1:4789", 0, vxlan, true},
		{"another datagram", "m1", "[" + machine + "%eth0]:49154", "[" + gateway + "%eth0]:5000", 255, other, false},
	} {
		l.send(tt.ns, tt.from, tt.to, tt.hops)
		if got := tt.heard(); (got != "") != tt.want {
			t.Errorf("%s: heard %q, want %v", tt.what, got, tt.want)
		}
	}
	for _, p := range []struct{ ns, to string }{{"m1", gateway + "%eth0"}, {"m1", "10.9.0.1"}, {"m2", "10.20.1.1"}, {"m2", "fd20::1"}, {"m2", l.linkLocal("", "Vlan20") + "%eth0"}} {
		if out, err := exec.Command("ip", "netns", "exec", p.ns, "ping", "-c", "1", "-W", "2", p.to).CombinedOutput(); err != nil {
			t.Errorf("%s pings %s: %v: %s", p.ns, p.to, err, out)
		}
	}
	l.unprotect() // the control: what was refused would have come
	l.send("m1", "10.1.0.5:49152", "10.9.0.1:4789", 0)
	if vxlan() == "" {
		t.Error("without our table, VXLAN from a machine comes no more than with it")
	}
	if !l.connects("m1", "["+machine+"%eth0]:179", gateway+"%eth0", 22) {
		t.Error("without our table, SSH is reached from source port 179 no more than with it")
	}
}

// A machine in provisioning that has no address yet asks for one.
func TestDHCPPasses(t *testing.T) {
	l := newLeaf(t)
	heard := l.receiver("", 67)
	l.protect()
	run(t, "ip -n m2 -4 addr flush dev eth0")
	discover := func() {
		l.in("m2", func() {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer unix.Close(fd)
			for _, err := range []error{
				unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1), unix.BindToDevice(fd, "eth0"),
				unix.Bind(fd, &unix.SockaddrInet4{Port: 68}), unix.Sendto(fd, []byte("discover"), 0, &unix.SockaddrInet4{Port: 67, Addr: [4]byte{255, 255, 255, 255}}),
			} {
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	discover()
	if got := heard(); got != "discover" {
		t.Errorf("the switch heard %q", got)
	}
}

// A packet is dropped at its port if the machine may not announce its source, whatever its target.
func TestForgedSourcesAreDropped(t *testing.T) {
	l := newLeaf(t)
	other := l.receiver("m3", 7000)
	for _, protected := range []bool{false, true, false} {
		if protected {
			l.protect()
		} else {
			l.unprotect()
		}
		for _, tt := range []struct {
			from, to string
			granted  bool
		}{
			{"10.1.0.5:49152", "10.3.0.3:7000", true},
			{"10.1.0.6:49152", "10.3.0.3:7000", false},
			{"[fd01::5]:49152", "[fd03::3]:7000", true},
			{"[fd01::6]:49152", "[fd03::3]:7000", false},
		} {
			l.send("m1", tt.from, tt.to, 0)
			if got, want := other() == tt.from, tt.granted || !protected; got != want {
				t.Errorf("protected %v: the packet from %s arrived: %v", protected, tt.from, got)
			}
		}
	}
	heard := l.receiver("", 7001)
	run(t, "nft flush ruleset")
	for _, protected := range []bool{false, true} {
		if protected { // the port's chain alone: what the CPU takes is another test's business
			set(t, plan.SetProtection{Set: map[string]plan.Chain{"port-swp2": l.protection["port-swp2"]}})
		}
		for from, own := range map[string]bool{"10.20.1.50:49152": true, "10.99.0.1:49152": false} {
			l.send("m2", from, "10.20.1.1:7001", 0)
			if got, want := heard() == from, own || !protected; got != want {
				t.Errorf("provisioning, protected %v: the packet from %s arrived: %v", protected, from, got)
			}
		}
	}
}

// A flood from one port is cut, and holds up no other port and no other protocol.
func TestFloodHoldsUpNobody(t *testing.T) {
	l := newLeaf(t)
	l.listen(179)
	l.protect()
	gateway := l.linkLocal("", "swp1") + "%eth0"
	flood := exec.Command("ip", "netns", "exec", "m1", "ping", "-f", "-q", "-c", "2000", "-W", "1", gateway)
	var out strings.Builder
	flood.Stdout, flood.Stderr = &out, &out
	if err := flood.Start(); err != nil {
		t.Fatal(err)
	}
	calm, err := exec.Command("ip", "netns", "exec", "m2", "ping", "-q", "-c", "5", "-i", "0.05", "-W", "2", "10.20.1.1").CombinedOutput()
	bgp := l.connects("m1", "", gateway, 179)
	_ = flood.Wait()
	if err != nil || !strings.Contains(string(calm), " 5 received") {
		t.Errorf("another port's pings: %v: %s", err, calm)
	}
	if !bgp {
		t.Error("BGP of the flooding port is held up")
	}
	if dropped := counted(t, "cpu-icmp"); dropped == 0 {
		t.Errorf("no packet of the flood was dropped: %s", out.String())
	}
}

// counted is how many packets a chain's counter has seen.
func counted(t *testing.T, chain string) int {
	t.Helper()
	_, rest, _ := strings.Cut(run(t, "nft list chain inet pointsman %s", chain), "counter packets ")
	n, err := strconv.Atoi(strings.Fields(rest + " ?")[0])
	if err != nil {
		t.Fatalf("counter of chain %s: %v", chain, fmt.Errorf("%q: %w", rest, err))
	}
	return n
}
