package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/test/fabric"
)

// services of a switch that are no machine's business: SSH, etcd, metrics.
var services = []string{"22", "2379", "9273"}

// operatorTable is somebody else's, and stays as it is.
const operatorTable = `table inet operator {
	chain input {
		type filter hook input priority filter + 10; policy accept;
		tcp dport 22 counter accept comment "ours to keep"
	}
}
`

// TestSelfProtection: listeners on a leaf are reached from management and from no machine's port, by none of the leaf's addresses; a
// packet whose source its machine may not announce is dropped at its port; another's table stays byte for byte. Without our table all
// of it gets through, which is the control; and the agent puts the table back.
func TestSelfProtection(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		const leaf, tenant, outsider = "leaf01", "machine01", "machine03"
		requireNftables(ctx, t, f, leaf)
		blue := network(ctx, t, f, "protect-blue", "10.1.0.0/24", "fd01::/64")
		insider := allocate(ctx, t, f, "protect-blue", tenant)
		victim := allocate(ctx, t, f, "protect-blue", "machine04")
		undo := provisionByHand(ctx, t, f, outsider, 1)
		defer undo()

		// Addresses of the leaf in the tenant's VRF: worse than anything that the agent makes.
		sh(ctx, t, f, leaf, "ip addr add 198.51.100.11/32 dev %[1]s && ip addr add 2001:db8::11/128 dev %[1]s", blue.Vrf)
		gateway, provisioning := linkLocal(ctx, t, f, leaf, f.Port(leaf, 1)), linkLocal(ctx, t, f, leaf, "Vlan4000")
		sh(ctx, t, f, tenant, "ip route replace 198.51.100.11/32 via inet6 %[1]s dev lan0 proto static && ip -6 route replace 2001:db8::11/128 via %[1]s dev lan0 proto static", gateway)
		defer sh(context.WithoutCancel(ctx), t, f, tenant, "ip route flush proto static; ip -6 route flush proto static; true")
		serve(ctx, t, f, leaf)
		writeTable(ctx, t, f, leaf)
		defer sh(context.WithoutCancel(ctx), t, f, leaf, "nft delete table inet operator")
		operators := rulesOf(ctx, t, f, leaf)

		targets := map[string][]string{
			tenant:   {"198.51.100.11", "2001:db8::11", gateway + "%lan0"},
			outsider: {fabric.ProvisioningAddress(1), provisioning + "%lan0"},
		}
		probe := func(protected bool) {
			t.Helper()
			if got := reached(ctx, t, f, "leaf02", "mgmt", f.Switch(leaf).Management.String()); len(got) != len(services) {
				t.Errorf("protected %v: from management, only %q of %s is reached", protected, got, leaf)
			}
			for node, addresses := range targets {
				got := reached(ctx, t, f, node, "", addresses...)
				if want := len(addresses) * len(services); protected && len(got) > 0 || !protected && len(got) != want {
					t.Errorf("protected %v: %s reaches %d of %d listeners: %q", protected, node, len(got), want, got)
				}
			}
			to := addresses(t, victim)[0]
			if !arrivesFrom(ctx, t, f, tenant, addresses(t, insider)[0], victim.Machine, to) {
				t.Errorf("protected %v: a packet from %s's own address does not arrive", protected, tenant)
			}
			if forged := arrivesFrom(ctx, t, f, tenant, netip.MustParseAddr("10.1.0.251"), victim.Machine, to); forged == protected {
				t.Errorf("protected %v: a packet from an address that %s was not given arrives: %v", protected, tenant, forged)
			}
		}
		probe(true)

		// The agent would put the table back at once.
		if err := f.Lab.Kill(ctx, leaf, "agent", unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		goOn := sync.OnceFunc(func() {
			if err := f.Lab.Kill(context.WithoutCancel(ctx), leaf, "agent", unix.SIGCONT); err != nil {
				t.Error(err)
			}
		})
		defer goOn()
		sh(ctx, t, f, leaf, "nft delete table inet pointsman")
		probe(false)
		goOn()
		begin := time.Now()
		await(ctx, t, "the agent puts its table back", func(ctx context.Context) error {
			_, err := f.Lab.Run(ctx, leaf, "nft", "list", "chain", "inet", "pointsman", "port-"+f.Port(leaf, 1))
			return err
		})
		t.Logf("the table is back %v after the agent goes on", time.Since(begin).Round(time.Millisecond))
		if got := reached(ctx, t, f, tenant, "", targets[tenant]...); len(got) > 0 {
			t.Errorf("with the table back, %s reaches %q", tenant, got)
		}
		if after := rulesOf(ctx, t, f, leaf); after != operators {
			t.Errorf("another's table was\n%s\nand is\n%s", operators, after)
		}
		release(ctx, t, f, insider, victim)
	})
}

// requireNftables ends the script where the fabric's kernel cannot have our table. Where it can, the table must be there.
func requireNftables(ctx context.Context, t *testing.T, f *fabric.Fabric, node string) {
	t.Helper()
	if _, err := f.Lab.Run(ctx, node, "unshare", "--net", "nft", "add", "table", "inet", "probe"); err != nil {
		t.Skipf("SELF-PROTECTION IS NOT TRIED: the fabric's kernel has no nftables of family inet; make lab-kernel builds one that has (%v)", err)
	}
	if _, err := f.Lab.Run(ctx, node, "nft", "list", "table", "inet", "pointsman"); err != nil {
		t.Fatalf("the kernel has nftables, and %s has no table of ours: %v", node, err)
	}
}

func linkLocal(ctx context.Context, t *testing.T, f *fabric.Fabric, node, device string) string {
	t.Helper()
	address := strings.TrimSpace(sh(ctx, t, f, node, "ip -6 -o addr show dev %s scope link | awk 'NR==1{sub(\"/.*\",\"\",$4); print $4}'", device))
	if _, err := netip.ParseAddr(address); err != nil {
		t.Fatalf("link-local address of %s on %s: %v", device, node, err)
	}
	return address
}

// serve listens on the services' ports of a node, in every VRF, until the script ends. Where a port is taken, its owner answers.
func serve(ctx context.Context, t *testing.T, f *fabric.Fabric, node string) {
	t.Helper()
	const program = `
import selectors, socket, sys
s = selectors.DefaultSelector()
for port in sys.argv[1:]:
    l = socket.socket(socket.AF_INET6); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try: l.bind(("::", int(port))); l.listen(); s.register(l, selectors.EVENT_READ)
    except OSError as e: print(port, e, flush=True)
print("listening", flush=True)
while True:
    for key, _ in s.select(): key.fileobj.accept()[0].close()
`
	running, cancel := context.WithCancel(ctx)
	listening := &watcher{word: "listening", seen: make(chan struct{})}
	var done sync.WaitGroup
	done.Go(func() {
		_, _ = f.Lab.ExecStream(running, node, append([]string{"python3", "-c", program}, services...), nil, listening, listening)
	})
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	select {
	case <-listening.seen:
	case <-time.After(20 * time.Second):
		t.Fatalf("listen on %s: it does not start: %s", node, listening)
	}
}

// reached lists the services of the addresses that a node gets a connection to, all tried at once.
func reached(ctx context.Context, t *testing.T, f *fabric.Fabric, node, device string, addresses ...string) []string {
	t.Helper()
	const program = `
import selectors, socket, sys, time
s = selectors.DefaultSelector()
for target in sys.argv[2:]:
    host, port = target.split()
    family, kind, _, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0]
    c = socket.socket(family, kind); c.setblocking(False)
    if sys.argv[1]: c.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, sys.argv[1].encode())
    c.connect_ex(address); s.register(c, selectors.EVENT_WRITE, target)
end = time.monotonic() + 2.5
while s.get_map() and time.monotonic() < end:
    for key, _ in s.select(0.2):
        s.unregister(key.fileobj)
        if key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0: print(key.data)
        key.fileobj.close()
`
	argv := []string{"python3", "-c", program, device}
	for _, a := range addresses {
		for _, port := range services {
			argv = append(argv, a+" "+port)
		}
	}
	out, err := f.Lab.Run(ctx, node, argv...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.FieldsFunc(out, func(r rune) bool { return r == '\n' })
}

func writeTable(ctx context.Context, t *testing.T, f *fabric.Fabric, node string) {
	t.Helper()
	r, err := f.Lab.Exec(ctx, node, []string{"nft", "-f", "-"}, strings.NewReader(operatorTable))
	if err != nil || r.Exit != 0 {
		t.Fatalf("load the operator's table: %v: %+v", err, r)
	}
}

// rulesOf lists the operator's table, with its handles, and without what its counter counts.
func rulesOf(ctx context.Context, t *testing.T, f *fabric.Fabric, node string) string {
	t.Helper()
	return sh(ctx, t, f, node, "nft --stateless --handle list table inet operator")
}

// arrivesFrom says whether a packet that a machine sends from an address, its own or not, comes to another machine.
func arrivesFrom(ctx context.Context, t *testing.T, f *fabric.Fabric, machine string, from netip.Addr, to string, target netip.Addr) bool {
	t.Helper()
	const program = `
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_IP, 19, 1) # IP_TRANSPARENT: the address need not be this machine's
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lan0") # the cable to the leaf in question
s.bind((sys.argv[1], 0))
for _ in range(5):
    try: s.sendto(sys.argv[4].encode(), (sys.argv[2], int(sys.argv[3])))
    except OSError as e: print(e)
    time.sleep(0.05)
`
	return arrives(ctx, t, f, to, func() {
		if _, err := f.Lab.Run(ctx, machine, "python3", "-c", program, from.String(), target.String(), fmt.Sprint(tokenPort), token); err != nil {
			t.Fatal(err)
		}
	})
}
