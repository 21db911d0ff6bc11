package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// What the guest does to links, addresses and sysctls: all by netlink from the process at hand, since one `ip` command costs
// 70 ms in the guest.

const managementBridge = "management"

// managementPort is the root namespace's end of a switch's eth0.
func managementPort(node string) string { return "m-" + node }

// setUpManagement joins vec0, the way to the host, into a bridge for the switches' management ports.
func setUpManagement() error {
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: managementBridge, HardwareAddr: portMAC(0, 1000, 0), MTU: managementMTU}}
	if err := netlink.LinkAdd(bridge); err != nil {
		return fmt.Errorf("add bridge: %w", err)
	}
	vec, err := netlink.LinkByName("vec0")
	if err != nil {
		return fmt.Errorf("find vec0: %w", err)
	}
	if err := netlink.LinkSetMaster(vec, bridge); err != nil {
		return fmt.Errorf("put vec0 into the bridge: %w", err)
	}
	if err := netlink.AddrAdd(bridge, address(netip.MustParsePrefix(guestAddress+"/24"))); err != nil {
		return fmt.Errorf("add address: %w", err)
	}
	for _, name := range []string{"lo", "vec0", managementBridge} {
		if err := setLink(name, true); err != nil {
			return err
		}
	}
	return nil
}

func address(p netip.Prefix) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
}

func setLink(name string, up bool) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find link %s: %w", name, err)
	}
	set := netlink.LinkSetDown
	if up {
		set = netlink.LinkSetUp
	}
	if err := set(link); err != nil {
		return fmt.Errorf("set link %s: %w", name, err)
	}
	return nil
}

// makeLinks makes every cable as a veth pair whose ends are made in their nodes, and the management links.
func makeLinks(spec guestSpec, pids map[string]int) error {
	for i, c := range spec.Cables {
		link := &netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: c.Ends[0].Port, MTU: fabricMTU, HardwareAddr: net.HardwareAddr(c.MACs[0]), Namespace: netlink.NsPid(pids[c.Ends[0].Node])},
			PeerName:  c.Ends[1].Port, PeerMTU: fabricMTU, PeerHardwareAddr: net.HardwareAddr(c.MACs[1]),
		}
		if c.Ends[1] == (Endpoint{}) {
			link.PeerName = spareName(i) // stays in the root namespace and down: the port has no carrier
		} else {
			link.PeerNamespace = netlink.NsPid(pids[c.Ends[1].Node])
		}
		if err := netlink.LinkAdd(link); err != nil {
			return fmt.Errorf("add cable %s to %s: %w", c.Ends[0], c.Ends[1], err)
		}
	}
	for _, n := range spec.Nodes {
		if !n.Switch {
			continue
		}
		if err := makeManagementLink(n, pids[n.Name]); err != nil {
			return fmt.Errorf("add management link of %s: %w", n.Name, err)
		}
	}
	return nil
}

func makeManagementLink(n nodeSpec, pid int) error {
	bridge, err := netlink.LinkByName(managementBridge)
	if err != nil {
		return err
	}
	link := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: managementPort(n.Name), MTU: managementMTU, MasterIndex: bridge.Attrs().Index},
		PeerName:  "eth0", PeerMTU: managementMTU, PeerHardwareAddr: net.HardwareAddr(n.MAC), PeerNamespace: netlink.NsPid(pid),
	}
	if err := netlink.LinkAdd(link); err != nil {
		return err
	}
	return setLink(managementPort(n.Name), true)
}

// partition takes a switch's management link out of the bridge, or puts it back. The switch keeps its carrier: packets vanish,
// as they do behind a broken management switch.
func partition(node string, connected bool) error {
	link, err := netlink.LinkByName(managementPort(node))
	if err != nil {
		return fmt.Errorf("%s has no management link: %w", node, err)
	}
	if !connected {
		return netlink.LinkSetNoMaster(link)
	}
	bridge, err := netlink.LinkByName(managementBridge)
	if err != nil {
		return err
	}
	return netlink.LinkSetMaster(link, bridge)
}

// configureNode does what an operating system does before any agent runs. Ports of a switch stay down: they belong to the
// agent.
func configureNode(spec nodeSpec) error {
	if err := setLink("lo", true); err != nil {
		return err
	}
	if !spec.Switch {
		return setUplinksUp()
	}
	for name, value := range map[string]string{
		"net/ipv4/conf/all/forwarding": "1",
		"net/ipv6/conf/all/forwarding": "1",
		"net/ipv4/tcp_l3mdev_accept":   "1",
		"net/ipv4/udp_l3mdev_accept":   "0",
	} {
		if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0); err != nil {
			return fmt.Errorf("set sysctl %s: %w", strings.ReplaceAll(name, "/", "."), err)
		}
	}
	return configureManagement(spec.Management)
}

func setUplinksUp() error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	for _, l := range links {
		if strings.HasPrefix(l.Attrs().Name, "lan") {
			if err := netlink.LinkSetUp(l); err != nil {
				return fmt.Errorf("set link %s up: %w", l.Attrs().Name, err)
			}
		}
	}
	return nil
}

// unreachableMetric is what a VRF's unreachable default has, so that any real default wins (kernel documentation, networking/vrf).
const unreachableMetric = 4278198272

// configureManagement puts eth0 into VRF mgmt, whose table ends in unreachable defaults, so that nothing leaks into the main table.
func configureManagement(prefix netip.Prefix) error {
	vrf := &netlink.Vrf{LinkAttrs: netlink.LinkAttrs{Name: mgmtVRF}, Table: mgmtTable}
	if err := netlink.LinkAdd(vrf); err != nil {
		return fmt.Errorf("add VRF %s: %w", mgmtVRF, err)
	}
	eth0, err := netlink.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("find eth0: %w", err)
	}
	if err := netlink.LinkSetMaster(eth0, vrf); err != nil {
		return fmt.Errorf("put eth0 into VRF %s: %w", mgmtVRF, err)
	}
	for _, name := range []string{mgmtVRF, "eth0"} {
		if err := setLink(name, true); err != nil {
			return err
		}
	}
	if err := netlink.AddrAdd(eth0, address(prefix)); err != nil {
		return fmt.Errorf("add address %s to eth0: %w", prefix, err)
	}
	for family, dst := range map[int]*net.IPNet{
		unix.AF_INET:  {IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
		unix.AF_INET6: {IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
	} {
		route := &netlink.Route{Family: family, Dst: dst, Table: mgmtTable, Type: unix.RTN_UNREACHABLE, Priority: unreachableMetric}
		if err := netlink.RouteAdd(route); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add unreachable default of VRF %s: %w", mgmtVRF, err)
		}
	}
	return nil
}

// setBlackhole puts a queue that loses everything on each front-panel port, or takes it away.
func setBlackhole(swallow bool) error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	for _, l := range links {
		name := l.Attrs().Name
		if l.Type() != "veth" || name == "eth0" {
			continue
		}
		attrs := netlink.QdiscAttrs{LinkIndex: l.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT}
		queue := netlink.NewNetem(attrs, netlink.NetemQdiscAttrs{Loss: 100})
		if swallow {
			err = netlink.QdiscReplace(queue)
		} else if err = netlink.QdiscDel(queue); errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) {
			err = nil // it has none
		}
		if err != nil {
			return fmt.Errorf("queue of %s: %w", name, err)
		}
	}
	return nil
}
