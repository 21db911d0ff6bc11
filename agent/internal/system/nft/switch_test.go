package nft

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// A leaf as the agent makes it: swp1 and swp3 in a tenant's VRF, swp2 in provisioning, swp49 towards a spine, eth0 in management. Its
// listeners answer in every VRF, and it has addresses in the tenant's VRF, so that nothing but our rules is between a machine and them.
type leaf struct {
	*testing.T
	protection map[string]plan.Chain
}

// Addresses of the leaf, by where they are.
var (
	tenantAddresses    = []string{"10.9.0.1", "fd09::1"}
	provisionAddresses = []string{"10.20.1.1", "fd20::1"}
)

// setUp is what the leaf is made with, a command a line.
const setUp = `
sysctl -qw net.ipv4.conf.all.forwarding=1 net.ipv6.conf.all.forwarding=1 net.ipv4.tcp_l3mdev_accept=1 net.ipv4.udp_l3mdev_accept=1
sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
ip link set lo up
ip link add Vrf104001 type vrf table 1001
ip link add provision type vrf table 1000
ip link add mgmt type vrf table 5000
ip link add bridge type bridge vlan_filtering 1 vlan_default_pvid 0
ip link set Vrf104001 up
ip link set provision up
ip link set mgmt up
ip link set bridge up
ip link add Vlan20 link bridge type vlan id 20
bridge vlan add dev bridge vid 20 self
ip link set Vlan20 master provision up
ip addr add 10.20.1.1/24 dev Vlan20
ip addr add fd20::1/64 dev Vlan20
ip addr add 10.9.0.1/32 dev Vrf104001
ip addr add fd09::1/128 dev Vrf104001
ip addr add 10.255.0.11/32 dev lo
ip netns add m1
ip netns add m2
ip netns add m3
ip netns add spine
ip netns add admin
ip link add swp1 index 101 type veth peer name eth0 netns m1
ip link add swp2 index 102 type veth peer name eth0 netns m2
ip link add swp3 index 103 type veth peer name eth0 netns m3
ip link add swp49 index 149 type veth peer name eth0 netns spine
ip link add eth0 index 150 type veth peer name eth0 netns admin
ip link set swp1 master Vrf104001 up
ip link set swp3 master Vrf104001 up
ip link set swp2 master bridge up
bridge vlan add dev swp2 vid 20 pvid untagged
ip link set swp49 up
ip link set eth0 master mgmt up
ip addr add 10.254.0.1/31 dev swp49
ip addr add 192.0.2.1/24 dev eth0
ip addr add 10.3.0.254/24 dev swp3
ip addr add fd03::254/64 dev swp3
ip -n admin addr add 192.0.2.2/24 dev eth0
ip -n spine addr add 10.254.0.0/31 dev eth0
ip -n m2 addr add 10.20.1.50/24 dev eth0
ip -n m2 addr add fd20::50/64 dev eth0 nodad
ip -n m2 addr add 10.99.0.1/32 dev eth0
ip -n m3 addr add 10.3.0.3/24 dev eth0
ip -n m3 addr add fd03::3/64 dev eth0 nodad
ip -n m1 link set lo up
ip -n m1 addr add 10.1.0.5/32 dev lo
ip -n m1 addr add 10.1.0.6/32 dev lo
ip -n m1 addr add fd01::5/128 dev lo
ip -n m1 addr add fd01::6/128 dev lo
`

func newLeaf(t *testing.T) *leaf {
	t.Helper()
	namespace(t)
	for line := range strings.Lines(setUp) {
		if line = strings.TrimSpace(line); line != "" {
			run(t, "%s", line)
		}
	}
	for _, ns := range []string{"m1", "m2", "m3", "spine", "admin"} {
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", ns).Run() })
		run(t, "ip netns exec %s sysctl -qw net.ipv6.conf.eth0.accept_dad=0", ns)
		run(t, "ip -n %s link set eth0 up", ns)
	}
	l := &leaf{T: t}
	// The way out of each machine and, for the tenant's, the way back that BGP would give.
	for _, m := range []struct{ ns, port, to4, to6, back4, back6 string }{
		{"m1", "swp1", "0.0.0.0/0", "::/0", "10.1.0.0/24", "fd01::/64"},
		{"m3", "swp3", "10.0.0.0/8", "fd00::/8", "", ""},
	} {
		gateway, machine := l.linkLocal("", m.port), l.linkLocal(m.ns, "eth0")
		run(t, "ip -n %s route add %s via inet6 %s dev eth0", m.ns, m.to4, gateway)
		run(t, "ip -n %s -6 route add %s via %s dev eth0", m.ns, m.to6, gateway)
		if m.back4 != "" {
			run(t, "ip route add %s via inet6 %s dev %s table 1001", m.back4, machine, m.port)
			run(t, "ip -6 route add %s via %s dev %s table 1001", m.back6, machine, m.port)
		}
	}
	l.protection = l.chains()
	return l
}

// chains are those of the planner, for what the leaf is.
func (l *leaf) chains() map[string]plan.Chain {
	l.Helper()
	grant := func(prefixes ...string) (out []netmodel.Grant) {
		for _, p := range prefixes {
			out = append(out, netmodel.Grant{Prefix: netip.MustParsePrefix(p)})
		}
		return out
	}
	tenant := func(port string, asn netmodel.ASN, grants []netmodel.Grant) netmodel.PortIntent {
		return netmodel.PortIntent{Port: port, Mode: netmodel.ModeVRF, VRF: "Vrf104001", VNI: 104001, PeerASN: asn, Grants: grants}
	}
	intent := plan.Intent{
		Config: netmodel.SwitchConfig{
			Switch: "leaf01", Role: netmodel.RoleLeaf, Loopback: netip.MustParseAddr("10.255.0.11"), ASN: 4200000011,
			Ports: []netmodel.SwitchPort{
				{Name: "swp1", Role: netmodel.PortMachine}, {Name: "swp2", Role: netmodel.PortMachine},
				{Name: "swp3", Role: netmodel.PortMachine}, {Name: "swp49", Role: netmodel.PortUplink},
			},
			Provisioning: netmodel.Provisioning{VLAN: 20, Addresses: []netip.Prefix{netip.MustParsePrefix("10.20.1.1/24"), netip.MustParsePrefix("fd20::1/64")}},
		},
		Ports: map[string]netmodel.PortIntent{
			"swp1": tenant("swp1", 4201000001, grant("10.1.0.5/32", "fd01::5/128")),
			"swp2": {Port: "swp2", Mode: netmodel.ModeProvisioning},
			"swp3": tenant("swp3", 4201000003, grant("10.3.0.3/32", "fd03::3/128")),
		},
	}
	facts := plan.Facts{Ports: map[string]plan.PortFacts{"swp1": {}, "swp2": {}, "swp3": {}, "swp49": {}}, Protect: plan.Protect{On: true}}
	desired, _, problems, err := plan.Desired(intent, facts)
	if err != nil || len(problems) > 0 {
		l.Fatal(err, problems)
	}
	return desired.Kernel.Protection
}

// linkLocal is the address that a device has made itself.
func (l *leaf) linkLocal(ns, device string) string {
	l.Helper()
	for begin := time.Now(); time.Since(begin) < 5*time.Second; {
		command := "ip -6 -o addr show dev " + device + " scope link"
		if ns != "" {
			command = "ip -n " + ns + strings.TrimPrefix(command, "ip")
		}
		if out := strings.Fields(run(l.T, "%s", command)); len(out) > 3 {
			address, _, _ := strings.Cut(out[3], "/")
			return address
		}
	}
	l.Fatalf("%s has no link-local address", device)
	return ""
}

// in runs f in a network namespace by name.
func (l *leaf) in(ns string, f func()) {
	l.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread goes with the goroutine
		file, err := os.Open("/run/netns/" + ns)
		if err == nil {
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
			file.Close()
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		l.Fatalf("enter namespace %s: %v", ns, err)
	}
}

// connects reports whether a TCP connection from a namespace is accepted.
func (l *leaf) connects(ns, local, address string, port int) bool {
	l.Helper()
	var err error
	l.in(ns, func() {
		dialer := net.Dialer{Timeout: 500 * time.Millisecond}
		if local != "" {
			dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.MustParseAddrPort(local))
		}
		var c net.Conn
		if c, err = dialer.DialContext(context.Background(), "tcp", net.JoinHostPort(address, fmt.Sprint(port))); err == nil {
			_ = c.(*net.TCPConn).SetLinger(0) // no socket of this connection stays, so that its ports can be used again
			c.Close()
		}
	})
	var timeout net.Error
	if err != nil && (!errors.As(err, &timeout) || !timeout.Timeout()) {
		l.Fatalf("%s to %s port %d was answered, but not by the listener: %v", ns, address, port, err)
	}
	return err == nil
}

// listen accepts connections on the leaf.
func (l *leaf) listen(ports ...int) {
	l.Helper()
	for _, p := range ports {
		listener, err := net.Listen("tcp", fmt.Sprintf("[::]:%d", p))
		if err != nil {
			l.Fatal(err)
		}
		l.Cleanup(func() { listener.Close() })
		go func() {
			for {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
	}
}

// receiver gets datagrams in a namespace; "" is the leaf's.
func (l *leaf) receiver(ns string, port int) func() string {
	l.Helper()
	var c net.PacketConn
	var err error
	open := func() { c, err = net.ListenPacket("udp", fmt.Sprintf("[::]:%d", port)) }
	if ns == "" {
		open()
	} else {
		l.in(ns, open)
	}
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { c.Close() })
	return func() string {
		buffer := make([]byte, 100)
		_ = c.SetReadDeadline(time.Now().Add(400 * time.Millisecond))
		n, _, _ := c.ReadFrom(buffer)
		return string(buffer[:n])
	}
}

// send sends a datagram from an address of a namespace, with a hop limit.
func (l *leaf) send(ns, from, to string, hops int) {
	l.Helper()
	l.in(ns, func() {
		target := netip.MustParseAddrPort(to)
		local := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(from))
		c, err := net.DialUDP("udp", local, net.UDPAddrFromAddrPort(target))
		if err != nil {
			l.Errorf("send from %s to %s: %v", from, to, err)
			return
		}
		defer c.Close()
		raw, err := c.SyscallConn()
		if err == nil && hops > 0 {
			err = raw.Control(func(fd uintptr) {
				level, option := unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
				if target.Addr().Is4() {
					level, option = unix.IPPROTO_IP, unix.IP_TTL
				}
				_ = unix.SetsockoptInt(int(fd), level, option, hops)
			})
		}
		if err == nil {
			_, err = c.Write([]byte(from))
		}
		if err != nil && !errors.Is(err, unix.ECONNREFUSED) {
			l.Errorf("send from %s to %s: %v", from, to, err)
		}
	})
}
