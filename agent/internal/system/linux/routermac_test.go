package linux

import (
	"context"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/agent/internal/system/conformance/kernelbench"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// announced are router MACs by VTEP, of one VNI and one prefix.
type announced struct {
	vni    netmodel.VNI
	prefix netip.Prefix
	macs   map[netip.Addr]net.HardwareAddr
}

func (announced) NexthopGroups(context.Context) (map[uint32][]uint32, error) { return nil, nil }
func (announced) FailedRoutes(context.Context) ([]system.FailedRoute, error) { return nil, nil }

func (announced) TunnelSVIs(context.Context) (map[netmodel.VNI]string, error) { return nil, nil }

func (a announced) RouterMACs(_ context.Context, vni netmodel.VNI, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	if vni != a.vni || prefix != a.prefix {
		return nil, nil
	}
	return a.macs, nil
}

// TestKeepRouterMACs: what is missing is entered as the VTEP announces it, again and again; what is there is left alone.
func TestKeepRouterMACs(t *testing.T) {
	l := newLeaf(t)
	l.converge(leafIntent(tenantPort("swp1", 104001, 1)))
	l.IP("link set vni104001 up")
	const mac = "02:00:00:05:00:00" // not what a VTEP's address would make
	l.IP("neigh add 10.255.0.22 dev Vlan1000 lladdr 02:50:0a:ff:00:22 nud noarp extern_learn")
	for _, r := range []string{
		"route add 10.0.0.1/32 table 1001 proto bgp nexthop via 10.255.0.21 dev Vlan1000 onlink nexthop via 10.255.0.22 dev Vlan1000 onlink",
		"-6 route add fd00::1/128 table 1001 proto bgp via ::ffff:10.255.0.23 dev Vlan1000 onlink", // announces nothing
	} {
		l.IP("%s", r)
	}
	hardware, err := net.ParseMAC(mac)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	kernelbench.Here(t, ended, func() error {
		l.KeepRouterMACs(ctx, announced{104001, netip.MustParsePrefix("10.0.0.1/32"), map[netip.Addr]net.HardwareAddr{
			netip.MustParseAddr("10.255.0.21"): hardware, netip.MustParseAddr("10.255.0.22"): hardware,
		}})
		return nil
	})
	defer func() { end(); <-ended }()
	for _, what := range []string{"at first", "after it was lost again"} {
		deadline := time.Now().Add(20 * time.Second)
		for {
			neighbours, fdb := l.IP("neigh show dev Vlan1000"), fdbOf(t, "vni104001")
			if strings.Contains(neighbours, "10.255.0.21 lladdr "+mac) && strings.Contains(fdb, mac+" dst 10.255.0.21") && strings.Contains(fdb, mac+" vlan 1000") {
				if !strings.Contains(neighbours, "10.255.0.22 lladdr 02:50:0a:ff:00:22") {
					t.Errorf("%s: what was there was changed:\n%s", what, neighbours)
				}
				if strings.Contains(neighbours, "10.255.0.23 lladdr") {
					t.Errorf("%s: a MAC that nobody announces:\n%s", what, neighbours)
				}
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: not entered:\n%s\n%s", what, neighbours, fdb)
			}
			time.Sleep(20 * time.Millisecond)
		}
		l.IP("neigh del 10.255.0.21 dev Vlan1000")
	}
}

func fdbOf(t *testing.T, device string) string {
	t.Helper()
	out, err := exec.Command("bridge", "fdb", "show", "dev", device).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}
