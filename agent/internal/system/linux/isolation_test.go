package linux

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// on runs a command on the machine of a port, 1 for swp1, and reports whether it succeeded.
func (l *leaf) on(port int, format string, args ...any) bool {
	l.Helper()
	words := strings.Fields(fmt.Sprintf("nsenter -t %d -n ", l.Machines[port-1]) + fmt.Sprintf(format, args...))
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil && len(out) > 0 {
		l.Logf("%s: %s", strings.Join(words[4:], " "), strings.TrimSpace(string(out)))
	}
	return err == nil
}

// linkLocal is the address that the leaf has on a port. The kernel makes it when it has noticed the carrier.
func (l *leaf) linkLocal(port int) string {
	l.Helper()
	begin := time.Now()
	for time.Since(begin) < 5*time.Second {
		if out := strings.Fields(l.IP("-6 -o addr show dev swp%d scope link", port)); len(out) > 3 {
			l.Logf("swp%d has its link-local address %v after it came up", port, time.Since(begin).Round(time.Millisecond))
			address, _, _ := strings.Cut(out[3], "/")
			return address
		}
	}
	l.Fatalf("swp%d has no link-local address", port)
	return ""
}

// By VRFs and rules alone, a machine with routes of its own reaches no address of the switch, from its tenant's VRF or from
// provisioning. Each has a control: what the machine may reach it does reach, and where the local rule is put back in front, it gets through.
func TestMachinesReachNothingOfTheSwitch(t *testing.T) {
	l := newLeaf(t)
	l.converge(leafIntent(tenantPort("swp1", 104001, 1)))
	l.IP("addr add 192.0.2.99/32 dev lo") // some other service of the switch
	// A tenant's machine, and the way back to it as BGP would give it.
	for _, c := range []string{
		"ip link set lo up", "ip addr add 10.0.0.1/32 dev lo",
		"ip route add 10.255.0.11/32 via inet6 " + l.linkLocal(1) + " dev m1 src 10.0.0.1", "ip route add 192.0.2.99/32 via inet6 " + l.linkLocal(1) + " dev m1 src 10.0.0.1",
		"ip addr add fe80::1/64 dev m1 nodad",
	} {
		if !l.on(1, "%s", c) {
			t.Fatal(c)
		}
	}
	l.IP("route add 10.0.0.1/32 via inet6 fe80::1 dev swp1 table 1001")
	// One in provisioning.
	for _, c := range []string{"ip addr add 10.20.1.50/24 dev m2", "ip route add 10.255.0.11/32 via 10.20.1.1", "ip route add 192.0.2.99/32 via 10.20.1.1"} {
		if !l.on(2, "%s", c) {
			t.Fatal(c)
		}
	}
	if !l.on(1, "ping -6 -c 1 -W 3 -I m1 %s", l.linkLocal(1)) || !l.on(2, "ping -c 1 -W 3 10.20.1.1") {
		t.Fatal("the machines do not even reach their gateway")
	}
	for _, address := range []string{"10.255.0.11", "192.0.2.99"} {
		for _, port := range []int{1, 2} {
			if l.on(port, "ping -c 2 -i 0.2 -W 1 %s", address) {
				t.Errorf("the machine on swp%d reaches %s of the switch", port, address)
			}
		}
	}
	l.IP("rule add pref 0 lookup local")
	for _, port := range []int{1, 2} {
		if !l.on(port, "ping -c 1 -W 3 10.255.0.11") {
			t.Errorf("with the local rule in front, the machine on swp%d still does not reach the switch: the probe proves nothing", port)
		}
	}
}

// A lookup in a tenant's table never goes on in main.
func TestTablesEnd(t *testing.T) {
	l := newLeaf(t)
	l.converge(leafIntent(tenantPort("swp1", 104001, 1)))
	l.IP("route add 198.51.100.0/24 dev swp4")
	l.IP("-6 route add 2001:db8::/32 dev swp4")
	finds := func(address string) bool {
		return exec.Command("ip", "route", "get", address, "vrf", "Vrf104001").Run() == nil
	}
	for _, tt := range []struct{ address, family string }{{"198.51.100.1", "-4"}, {"2001:db8::1", "-6"}} {
		if finds(tt.address) {
			t.Errorf("from the tenant's VRF, %s is found in main", tt.address)
		}
		l.IP("%s route del unreachable default metric 4278198272 table 1001", tt.family)
		if !finds(tt.address) {
			t.Errorf("without its end, the table still does not lead to %s in main: the probe proves nothing", tt.address)
		}
	}
}

// Machines in provisioning reach the gateway and not each other.
func TestProvisioningPortsAreIsolated(t *testing.T) {
	l := newLeaf(t)
	l.converge(leafIntent())
	for _, port := range []int{1, 2} {
		if !l.on(port, "ip addr add 10.20.1.%d/24 dev m%d", 50+port, port) || !l.on(port, "ping -c 1 -W 3 10.20.1.1") {
			t.Fatalf("the machine on swp%d does not reach its gateway", port)
		}
	}
	if l.on(1, "ping -c 2 -i 0.2 -W 1 10.20.1.52") {
		t.Error("machines in provisioning reach each other")
	}
	l.Command("bridge link set dev swp1 isolated off")
	if !l.on(1, "ping -c 1 -W 3 10.20.1.52") {
		t.Error("without isolation they still do not reach each other: the probe proves nothing")
	}
}
