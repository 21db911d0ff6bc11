package advertise

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/ndp"
	"golang.org/x/net/ipv6"

	"github.com/pointsman/pointsman/test/lab/guesttest"
)

func TestMain(m *testing.M) { guesttest.Main(m) }

func ip(t *testing.T, commands ...string) {
	t.Helper()
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip %q: %v\n%s", commands, err, out)
	}
}

// ear hears router advertisements on one link.
type ear struct {
	*testing.T
	conn *ndp.Conn
}

func listen(t *testing.T, link string) ear {
	t.Helper()
	ifc, err := net.InterfaceByName(link)
	if err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) { // until it has its address
		conn, _, err := ndp.Listen(ifc, ndp.LinkLocal)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			var only ipv6.ICMPFilter
			only.SetAll(true)
			only.Accept(ipv6.ICMPTypeRouterAdvertisement)
			if err := conn.SetICMPFilter(&only); err != nil {
				t.Fatal(err)
			}
			return ear{t, conn}
		}
		if time.Now().After(until) {
			t.Fatal(err)
		}
	}
}

// hears returns who advertises within a time, and how.
func (e ear) hears(within time.Duration) (from netip.Addr, message *ndp.RouterAdvertisement) {
	e.Helper()
	if err := e.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		e.Fatal(err)
	}
	m, _, from, err := e.conn.ReadFrom()
	if err != nil {
		return netip.Addr{}, nil
	}
	return from, m.(*ndp.RouterAdvertisement)
}

// TestNewPorts: the neighbour of a port that comes up in a VRF, or in none, hears of it at once, with a lifetime of 0, and after a while
// no more; a port in a bridge, one of management, and the switch itself hear nothing.
func TestNewPorts(t *testing.T) {
	if out, err := exec.Command("sysctl", "-wq", "net.ipv6.conf.default.accept_dad=0").CombinedOutput(); err != nil { // as on a switch's ports
		t.Fatalf("%v: %s", err, out)
	}
	ip(t, "link add Vrf1 type vrf table 1001", "link set Vrf1 up", "link add mgmt type vrf table 1002", "link set mgmt up", "link add br0 type bridge", "link set br0 up")
	masters := map[string]string{"swp1": "master Vrf1", "swp2": "nomaster", "swp3": "master br0", "swp4": "master mgmt", "eth0": "nomaster"}
	mine := []string{"eth0"} // and the far ends, which are ports too
	for name, master := range masters {
		mine = append(mine, "far-"+name)
		ip(t, fmt.Sprintf("link add %s type veth peer name far-%s", name, name), fmt.Sprintf("link set %s %s", name, master))
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		Run(ctx, mine, slog.New(slog.DiscardHandler))
	}()
	defer func() { cancel(); <-ended }()
	time.Sleep(100 * time.Millisecond) // it begins to follow links
	for name, master := range masters {
		ip(t, "link set far-"+name+" up", "link set "+name+" up")
		from, message := listen(t, "far-"+name).hears(2 * time.Second)
		wanted := name == "swp1" || name == "swp2"
		if wanted != (message != nil) {
			t.Errorf("beyond %s (%s), %v was heard", name, master, from)
		}
		if itself, message := listen(t, name).hears(500 * time.Millisecond); message != nil {
			t.Errorf("on %s (%s), the switch hears %v", name, master, itself)
		}
		if message != nil && (message.RouterLifetime != 0 || !from.IsLinkLocalUnicast()) {
			t.Errorf("beyond %s: from %v: %+v", name, from, message)
		}
	}
}
