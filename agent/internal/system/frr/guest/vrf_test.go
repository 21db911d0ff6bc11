package guest

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/test/frrguest"
)

// TestVRFsComeAndGo: zebra lives if it knows a VRF before the first route of the VRF's table. Without AwaitVRF, zebra 10.3 ends in one of
// the first rounds.
func TestVRFsComeAndGo(t *testing.T) { frrguest.Each(t, testVRFsComeAndGo) }

func testVRFsComeAndGo(t *testing.T, v frrguest.Version) {
	const name, table = "Vrf100009", 1009
	daemons := v.Start(t, "")
	client := frrsystem.New(frrsystem.Options{Dir: daemons.Dir, DeviceWait: 20 * time.Second})
	t.Cleanup(func() { client.Close() })
	defaults := make([]netlink.Route, 2)
	for i, to := range []string{"0.0.0.0/0", "::/0"} {
		_, prefix, err := net.ParseCIDR(to)
		if err != nil {
			t.Fatal(err)
		}
		defaults[i] = netlink.Route{Dst: prefix, Table: table, Type: unix.RTN_UNREACHABLE, Priority: 4278198272}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 12 {
		vrf := &netlink.Vrf{LinkAttrs: netlink.LinkAttrs{Name: name}, Table: table}
		must(netlink.LinkAdd(vrf))
		must(netlink.LinkSetUp(vrf))
		client.AwaitVRF(timeout(t, 20*time.Second), name, vrf.Index)
		for _, route := range defaults {
			must(netlink.RouteAdd(&route))
		}
		time.Sleep(100 * time.Millisecond) // zebra makes something of them
		must(netlink.LinkDel(vrf))
		for _, route := range defaults {
			must(netlink.RouteDel(&route))
		}
	}
	eventually(t, "zebra has no VRF and no route of its table", func() bool {
		if !daemons.Alive("zebra") {
			t.Fatal("zebra ended")
		}
		out, err := daemons.Shell("-c", "show vrf", "-c", "show ip route table 1009", "-c", "show ipv6 route table 1009")
		return err == nil && !strings.Contains(out, name) && !strings.Contains(out, "unreachable")
	})
}
