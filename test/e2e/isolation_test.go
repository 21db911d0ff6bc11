package e2e

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pointsman/pointsman/test/fabric"
	"github.com/pointsman/pointsman/test/lab"
)

// TestIsolation: whatever routes a machine makes for itself, it reaches none of the fabric's own addresses and can hand no packet
// to another tenant. Each probe is first seen to succeed from where it may.
func TestIsolation(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		blue := network(ctx, t, f, "iso-blue", "10.1.0.0/24", "fd01::/64")
		network(ctx, t, f, "iso-green", "10.2.0.0/24", "fd02::/64")
		victim := allocate(ctx, t, f, "iso-blue", "machine01")
		attacker := allocate(ctx, t, f, "iso-green", "machine02")
		const outsider = "machine03" // unallocated
		undo := provisionByHand(ctx, t, f, outsider, 1)
		defer undo()
		undoControl := provisionByHand(ctx, t, f, "machine06", 3)
		defer undoControl()

		targets := fabricAddresses(f)
		// Controls.
		awaitPing(ctx, t, f, "leaf01", fabric.Ping{To: f.Switch("leaf03").Loopback, From: f.Switch("leaf01").Loopback})
		awaitPing(ctx, t, f, "leaf01", fabric.Ping{To: f.Switch("leaf02").Management, Device: "mgmt"})
		awaitPing(ctx, t, f, outsider, fabric.Ping{To: netip.MustParseAddr(fabric.ProvisioningAddress(1))})
		awaitPing(ctx, t, f, "machine06", fabric.Ping{To: netip.MustParseAddr(fabric.ProvisioningAddress(3))})
		etcd := etcdPort(t, f)
		if out := connect(ctx, t, f, "leaf01", "mgmt", lab.HostAddress, etcd); !strings.Contains(out, "connected") {
			t.Fatalf("the control: leaf01 reaches etcd over management: %s", out)
		}

		for _, node := range []string{attacker.Machine, outsider} {
			routeEverything(ctx, t, f, node, targets)
			var probes sync.WaitGroup // a probe that must fail is mostly waiting
			for what, addresses := range targets {
				for _, target := range addresses {
					if node == outsider && target.String() == fabric.ProvisioningAddress(1) {
						continue // its own leaf, the control
					}
					probes.Go(func() { reachNot(ctx, t, f, node, fabric.Ping{To: target}, what) })
				}
			}
			probes.Wait()
			if out := connect(ctx, t, f, node, "", lab.HostAddress, etcd); !strings.Contains(out, "refused") {
				t.Errorf("%s reaches etcd: %s", node, out)
			}
		}

		forged := forgedVXLAN(t, blue.Vni, routerMAC(ctx, t, f, "leaf01", blue.Vrf), addresses(t, victim)[0])
		loopback := f.Switch("leaf01").Loopback
		if !arrives(ctx, t, f, victim.Machine, func() { sendUDP(ctx, t, f, "spine01", loopback, forged) }) {
			t.Fatal("the control: VXLAN from a spine reaches the tenant's machine")
		}
		for _, node := range []string{attacker.Machine, outsider} {
			doors := []netip.Addr{loopback, netip.MustParseAddr(fabric.ProvisioningAddress(1)), f.Switch("leaf02").Loopback}
			if arrives(ctx, t, f, victim.Machine, func() {
				for _, to := range doors {
					sendUDP(ctx, t, f, node, to, forged)
				}
			}) {
				t.Errorf("forged VXLAN from %s to one of %s reaches %s", node, doors, victim.Machine)
			}
		}
		unroute(ctx, t, f, attacker.Machine)
		release(ctx, t, f, victim, attacker)
	})
}

// fabricAddresses are those that no machine may reach.
func fabricAddresses(f *fabric.Fabric) map[string][]netip.Addr {
	out := map[string][]netip.Addr{}
	leaf := 0
	for _, s := range f.Inventory.Switches {
		out["loopback of a switch"] = append(out["loopback of a switch"], s.Loopback)
		out["management"] = append(out["management"], s.Management)
		if s.Role == lab.RoleLeaf {
			leaf++
			out["provisioning network"] = append(out["provisioning network"], netip.MustParseAddr(fabric.ProvisioningAddress(leaf)))
		}
	}
	out["the control plane's host"] = []netip.Addr{netip.MustParseAddr(lab.HostAddress)}
	return out
}

// provisionByHand gives an unallocated machine an address in its leaf's provisioning network, and a way everywhere through it.
func provisionByHand(ctx context.Context, t *testing.T, f *fabric.Fabric, node string, leaf int) (undo func()) {
	t.Helper()
	gateway := fabric.ProvisioningAddress(leaf)
	own := strings.TrimSuffix(gateway, ".1") + ".77"
	sh(ctx, t, f, node, "ip address add %s/24 dev lan0; ip route replace default via %s dev lan0", own, gateway)
	return func() {
		sh(context.WithoutCancel(ctx), t, f, node, "ip route flush proto static; ip route del default 2>/dev/null; ip address del %s/24 dev lan0; true", own)
	}
}

// routeEverything gives a machine static routes of its own to all targets, over the way its default route has.
func routeEverything(ctx context.Context, t *testing.T, f *fabric.Fabric, node string, targets map[string][]netip.Addr) {
	t.Helper()
	routes, err := f.Routes(ctx, node, "-4", "default")
	if err != nil {
		t.Fatal(err)
	}
	if len(routes) == 0 {
		t.Fatalf("%s has no default route to copy", node)
	}
	hop := routes[0].NextHops[0]
	family := "inet"
	if hop.Gateway.Is6() {
		family = "inet6"
	}
	var script strings.Builder
	for _, addresses := range targets {
		for _, a := range addresses {
			fmt.Fprintf(&script, "ip route replace %s/32 via %s %s dev %s proto static 2>/dev/null || ip route get %s >/dev/null || exit 1\n", a, family, hop.Gateway, hop.Device, a)
		}
	}
	sh(ctx, t, f, node, "%s", script.String())
}

func unroute(ctx context.Context, t *testing.T, f *fabric.Fabric, node string) {
	t.Helper()
	sh(ctx, t, f, node, "ip route flush proto static; true")
}

func etcdPort(t *testing.T, f *fabric.Fabric) string {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(f.CP.Etcd[0], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// connect tries a TCP connection from a node and says what came of it.
func connect(ctx context.Context, t *testing.T, f *fabric.Fabric, node, device, host, port string) string {
	t.Helper()
	const program = `
import socket, sys
s = socket.socket(); s.settimeout(2)
if sys.argv[1]: s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, sys.argv[1].encode())
try:
    s.connect((sys.argv[2], int(sys.argv[3]))); print("connected")
except OSError as e:
    print("refused:", e)
`
	out, err := f.Lab.Run(ctx, node, "python3", "-c", program, device, host, port)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// routerMAC is the MAC that a leaf's SVI of a VRF answers to: the router MAC of its type 5 routes.
func routerMAC(ctx context.Context, t *testing.T, f *fabric.Fabric, leaf, vrf string) net.HardwareAddr {
	t.Helper()
	out := sh(ctx, t, f, leaf, "ip -br link show master %s type vlan | awk 'NR==1{print $3}'", vrf)
	mac, err := net.ParseMAC(strings.TrimSpace(out))
	if err != nil {
		t.Fatalf("router MAC of %s on %s: %v (%q)", vrf, leaf, err, out)
	}
	return mac
}

const (
	vxlanPort = 4789
	tokenPort = 9999
	token     = "pointsman-forged"
)

// forgedVXLAN is a VXLAN header (RFC 7348) with a frame to the router of a tenant's VRF, which carries a UDP packet to a machine.
func forgedVXLAN(t *testing.T, vni uint32, router net.HardwareAddr, to netip.Addr) []byte {
	t.Helper()
	if !to.Is4() {
		t.Fatalf("%s is not IPv4", to)
	}
	udp := append([]byte{0x30, 0x39, tokenPort >> 8, tokenPort & 0xff, 0, byte(8 + len(token)), 0, 0}, token...)
	source := [4]byte{198, 51, 100, 7}
	target := to.As4()
	length := 20 + len(udp)
	ip := []byte{0x45, 0, byte(length >> 8), byte(length), 0, 1, 0, 0, 64, 17, 0, 0}
	ip = append(append(ip, source[:]...), target[:]...)
	sum := checksum(ip)
	ip[10], ip[11] = byte(sum>>8), byte(sum)
	frame := append([]byte{}, router...)
	frame = append(frame, 0x02, 0xde, 0xad, 0xbe, 0xef, 0x01, 0x08, 0x00)
	frame = append(append(frame, ip...), udp...)
	return append([]byte{0x08, 0, 0, 0, byte(vni >> 16), byte(vni >> 8), byte(vni), 0}, frame...)
}

// checksum is that of RFC 791.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// sendUDP sends a payload to UDP port 4789 a few times.
func sendUDP(ctx context.Context, t *testing.T, f *fabric.Fabric, node string, to netip.Addr, payload []byte) {
	t.Helper()
	const program = `
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(5):
    try: s.sendto(bytes.fromhex(sys.argv[2]), (sys.argv[1], %d))
    except OSError as e: print(e)
    time.sleep(0.05)
`
	if _, err := f.Lab.Run(ctx, node, "python3", "-c", fmt.Sprintf(program, vxlanPort), to.String(), hex.EncodeToString(payload)); err != nil {
		t.Fatal(err)
	}
}

// arrives says whether the token's packet comes to a machine while send runs, and a little after.
func arrives(ctx context.Context, t *testing.T, f *fabric.Fabric, machine string, send func()) bool {
	t.Helper()
	const program = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", %d)); s.settimeout(6)
print("listening", flush=True)
try: print(s.recvfrom(2048)[0].decode())
except OSError: print("nothing")
`
	listening, heard := &watcher{word: "listening", seen: make(chan struct{})}, make(chan error, 1)
	go func() {
		_, err := f.Lab.ExecStream(ctx, machine, []string{"python3", "-c", fmt.Sprintf(program, tokenPort)}, nil, listening, listening)
		heard <- err
	}()
	select {
	case <-listening.seen:
	case err := <-heard:
		t.Fatalf("listen on %s: %v: %s", machine, err, listening.text)
	case <-time.After(20 * time.Second):
		t.Fatalf("listen on %s: it does not start", machine)
	}
	send()
	if err := <-heard; err != nil {
		t.Fatal(err)
	}
	return strings.Contains(listening.String(), token)
}
