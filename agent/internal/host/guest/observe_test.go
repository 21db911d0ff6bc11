package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/host"
)

// handleIn is a netlink handle in a network namespace.
func handleIn(t *testing.T, name string) *netlink.Handle {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(own)
	other, err := unix.Open("/run/netns/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	if err := unix.Setns(other, unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if back := unix.Setns(own, unix.CLONE_NEWNET); back != nil || err != nil {
		t.Fatal(errors.Join(err, back))
	}
	t.Cleanup(handle.Close)
	return handle
}

// kernel is the routes of ours in the machine's kernel, each as text: "0.0.0.0/0 src 10.1.0.5 via fe80::1%lan0 fe80::2%lan1".
func (f *fabric) kernel(h *netlink.Handle) []string {
	f.t.Helper()
	names := map[int]string{}
	links, err := h.LinkList()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	var out []string
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := h.RouteListFiltered(family, &netlink.Route{Protocol: host.RouteProtocol}, netlink.RT_FILTER_PROTOCOL)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, r := range routes {
			out = append(out, routeText(r, names))
		}
	}
	slices.Sort(out)
	return out
}

func routeText(r netlink.Route, names map[int]string) string {
	hops := r.MultiPath
	if len(hops) == 0 {
		hops = []*netlink.NexthopInfo{{LinkIndex: r.LinkIndex, Gw: r.Gw, Via: r.Via}}
	}
	var ways []string
	for _, hop := range hops {
		gateway := hop.Gw
		if via, ok := hop.Via.(*netlink.Via); ok {
			gateway = via.Addr
		}
		ways = append(ways, gateway.String()+"%"+names[hop.LinkIndex])
	}
	slices.Sort(ways)
	return fmt.Sprintf("%v metric %d src %v via %s", r.Dst, r.Priority, r.Src, strings.Join(ways, " "))
}

// linkLocal is the link-local address of a link.
func linkLocal(t *testing.T, h *netlink.Handle, name string) string {
	t.Helper()
	link, err := h.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	var out string
	within(t, limit, "have a link-local address", func() error {
		list, err := h.AddrList(link, unix.AF_INET6)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			if a.IP.IsLinkLocalUnicast() {
				out = a.IP.String()
				return nil
			}
		}
		return fmt.Errorf("%s has none", name)
	})
	return out
}

func loopback(t *testing.T, h *netlink.Handle) []string {
	t.Helper()
	lo, err := h.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	list, err := h.AddrList(lo, netlink.FAMILY_ALL)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, a := range list {
		if !a.IP.IsLoopback() {
			out = append(out, a.IPNet.String())
		}
	}
	slices.Sort(out)
	return out
}

// path is what FRR prints of a path.
type path struct {
	Path     string `json:"path"`
	Valid    bool   `json:"valid"`
	Nexthops []struct {
		IP        string `json:"ip"`
		AFI       string `json:"afi"`
		Scope     string `json:"scope"`
		Used      bool   `json:"used"`
		Interface string `json:"interface"`
	} `json:"nexthops"`
}

// received is what a leaf has from the machine: "10.1.0.5/32 path 4201000001 via fe80::1". GoBGP sends one next hop, the link-local
// address, where FRR expects a global one with a link-local one behind it; FRR prints the missing one as "::".
func (f *fabric) received(i int, family string) ([]string, error) {
	var answer struct {
		Routes map[string][]path `json:"routes"`
	}
	if err := f.vtysh(i, "show bgp VRF "+family+" unicast neighbors swp1 routes", &answer); err != nil {
		return nil, err
	}
	var out []string
	for prefix, paths := range answer.Routes {
		for _, p := range paths {
			for _, hop := range p.Nexthops {
				if hop.IP != "::" && hop.AFI == "ipv6" && p.Valid {
					out = append(out, fmt.Sprintf("%s path %s via %s", prefix, p.Path, hop.IP))
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// forwards is the leaf's kernel routes to the machine: "10.1.0.5/32 via fe80::1%swp1".
func (f *fabric) forwards(leaf *netlink.Handle) []string {
	f.t.Helper()
	port, err := leaf.LinkByName("swp1")
	if err != nil {
		f.t.Fatal(err)
	}
	var out []string
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := leaf.RouteListFiltered(family, &netlink.Route{Protocol: unix.RTPROT_BGP, Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, r := range routes {
			gateway := r.Gw
			if via, ok := r.Via.(*netlink.Via); ok {
				gateway = via.Addr
			}
			if r.LinkIndex == port.Attrs().Index {
				out = append(out, fmt.Sprintf("%v via %v%%swp1", r.Dst, gateway))
			}
		}
	}
	slices.Sort(out)
	return out
}

// neighbour is what FRR prints of a session.
type neighbour struct {
	State       string `json:"bgpState"`
	RemoteAS    uint32 `json:"remoteAs"`
	Established int64  `json:"bgpTimerUpEstablishedEpoch"`
	Dropped     int    `json:"connectionsDropped"`
	Reason      string `json:"lastNotificationReason"`
	HoldTime    int    `json:"bgpTimerHoldTimeMsecs"`
}

func (f *fabric) neighbour(i int) (neighbour, error) {
	var answer map[string]json.RawMessage
	var n neighbour
	if err := f.vtysh(i, "show bgp VRF neighbors swp1", &answer); err != nil {
		return n, err
	}
	raw, ok := answer["swp1"]
	if !ok {
		return n, fmt.Errorf("leaf %d has no neighbour swp1: %v", i, answer)
	}
	return n, json.Unmarshal(raw, &n)
}

// status is what the speaker says.
func (f *fabric) status() (host.Status, error) {
	var s host.Status
	text, err := os.ReadFile(f.statusFile())
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// expect says how two lists differ.
func expect(have, want []string) error {
	slices.Sort(want)
	if !slices.Equal(have, want) {
		return fmt.Errorf("have %q, want %q", have, want)
	}
	return nil
}
