package check

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/system/nft"
)

// feature is something that the kernel must be able to do, and the module that brings it where it is not built in.
type feature struct {
	name, module, option string
	try                  func(*netlink.Handle) error
	// without tells what a switch lacks; "" means that it cannot be one.
	without string
}

var features = []feature{
	{name: "kernel vrf", module: "vrf", option: "CONFIG_NET_VRF", try: tryVRF},
	{name: "kernel l3mdev rule", option: "CONFIG_NET_L3_MASTER_DEV and CONFIG_IP_MULTIPLE_TABLES", try: tryRule},
	{name: "kernel bridge", module: "bridge", option: "CONFIG_BRIDGE and CONFIG_BRIDGE_VLAN_FILTERING", try: tryBridge},
	{name: "kernel vlan", module: "8021q", option: "CONFIG_VLAN_8021Q", try: tryVLAN},
	{name: "kernel vxlan", module: "vxlan", option: "CONFIG_VXLAN", try: tryVXLAN},
	{
		name: "kernel nftables", module: "nf_tables", option: "CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET and CONFIG_NF_TABLES_NETDEV, Linux 5.10",
		try: func(*netlink.Handle) error { return nft.Supported() }, without: "machines' packets to the switch's CPU are not limited",
	},
}

// kernel tries every feature in a network namespace of its own, which goes with the thread that made it.
func kernel() []Result {
	done := make(chan []Result)
	go func() {
		runtime.LockOSThread() // and never unlocked: a thread that has left its namespace must not run anything else
		done <- inNamespace()
	}()
	return <-done
}

func inNamespace() []Result {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		out := []Result{warn("kernel namespace", "run this as root: features are then tried where nothing else can be touched", "cannot make a network namespace: %v", err)}
		for _, f := range features {
			out = append(out, f.untried())
		}
		return out
	}
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return []Result{fail("kernel netlink", "the kernel needs CONFIG_NETLINK and rtnetlink", "open netlink: %v", err)}
	}
	defer handle.Close()
	out := []Result{ok("kernel namespace", "features are tried in a namespace of their own")}
	for _, f := range features {
		out = append(out, f.tried(f.try(handle)))
	}
	return out
}

func (f feature) tried(err error) Result {
	switch {
	case err == nil:
		return ok(f.name, "tried")
	case errors.Is(err, errNeeds):
		return fail(f.name, "mend that first, then run this again", "%v", err)
	case f.without != "":
		return warn(f.name, f.remedy(), "%v: %s", err, f.without)
	}
	return fail(f.name, f.remedy(), "%v", err)
}

func (f feature) remedy() string {
	if f.module == "" {
		return "a kernel with " + f.option
	}
	if !moduleThere(f.module) {
		return fmt.Sprintf("install the modules of this kernel (no %s in /lib/modules/%s), or a kernel with %s", f.module, release(), f.option)
	}
	return fmt.Sprintf("modprobe %s, and see dmesg; or a kernel with %s", f.module, f.option)
}

// untried says what is known without trying.
func (f feature) untried() Result {
	if f.module == "" || moduleThere(f.module) {
		return warn(f.name, "run this as root", "not tried")
	}
	return warn(f.name, f.remedy(), "not tried; module %s is neither loaded nor installed", f.module)
}

// moduleThere tells whether a module is loaded, built in or installed.
func moduleThere(module string) bool {
	if _, err := os.Stat("/sys/module/" + module); err == nil {
		return true
	}
	for _, list := range []string{"modules.builtin", "modules.dep"} {
		text, err := os.ReadFile("/lib/modules/" + release() + "/" + list)
		if err == nil && strings.Contains(string(text), "/"+module+".ko") {
			return true
		}
	}
	return false
}

func release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "?"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// errNeeds is of a feature that could not be tried because of another that failed.
var errNeeds = errors.New("not tried, as it needs")

func tryVRF(h *netlink.Handle) error {
	vrf := &netlink.Vrf{LinkAttrs: netlink.LinkAttrs{Name: "Vrf1"}, Table: 1001}
	if err := h.LinkAdd(vrf); err != nil {
		return fmt.Errorf("add a VRF: %w", err)
	}
	if err := h.LinkSetUp(vrf); err != nil {
		return fmt.Errorf("set the VRF up: %w", err)
	}
	for _, everything := range []string{"0.0.0.0/0", "::/0"} {
		_, dst, err := net.ParseCIDR(everything)
		if err != nil {
			return err
		}
		route := &netlink.Route{Table: 1001, Dst: dst, Type: unix.RTN_UNREACHABLE, Priority: 4278198272}
		if err := h.RouteAdd(route); err != nil {
			return fmt.Errorf("add an unreachable default %s: %w", everything, err)
		}
	}
	return nil
}

// tryRule looks at what the VRF brought: the kernel enters the rule itself with the first one.
func tryRule(h *netlink.Handle) error {
	if _, err := h.LinkByName("Vrf1"); err != nil {
		return fmt.Errorf("%w a VRF", errNeeds)
	}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		rules, err := h.RuleList(family)
		if err != nil {
			return fmt.Errorf("list rules: %w", err)
		}
		found := false
		for _, r := range rules {
			found = found || r.Priority == 1000
		}
		if !found {
			return errors.New("no rule at preference 1000 comes with a VRF")
		}
	}
	return nil
}

func tryBridge(h *netlink.Handle) error {
	yes, none := true, uint16(0)
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "bridge"}, VlanFiltering: &yes, VlanDefaultPVID: &none}
	if err := h.LinkAdd(bridge); err != nil {
		return fmt.Errorf("add a bridge with VLAN filtering: %w", err)
	}
	made, err := h.LinkByName("bridge")
	if err != nil {
		return fmt.Errorf("read the bridge: %w", err)
	}
	if b, ok := made.(*netlink.Bridge); !ok || b.VlanFiltering == nil || !*b.VlanFiltering {
		return errors.New("the bridge does not filter by VLAN")
	}
	if err := h.BridgeVlanAdd(made, 100, false, false, true, false); err != nil {
		return fmt.Errorf("add a VLAN to the bridge: %w", err)
	}
	return nil
}

func tryVLAN(h *netlink.Handle) error {
	bridge, err := h.LinkByName("bridge")
	if err != nil {
		return fmt.Errorf("%w the bridge", errNeeds)
	}
	svi := &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "Vlan100", ParentIndex: bridge.Attrs().Index}, VlanId: 100}
	if err := h.LinkAdd(svi); err != nil {
		return fmt.Errorf("add a VLAN device on the bridge: %w", err)
	}
	return nil
}

func tryVXLAN(h *netlink.Handle) error {
	vxlan := &netlink.Vxlan{LinkAttrs: netlink.LinkAttrs{Name: "vni100000"}, VxlanId: 100000, SrcAddr: net.IPv4(192, 0, 2, 1), Port: 4789, Learning: false}
	if err := h.LinkAdd(vxlan); err != nil {
		return fmt.Errorf("add a VXLAN device: %w", err)
	}
	bridge, err := h.LinkByName("bridge")
	if err != nil {
		return fmt.Errorf("the device was made; in the bridge it was %w the bridge", errNeeds)
	}
	made, err := h.LinkByName("vni100000")
	if err != nil {
		return fmt.Errorf("read the VXLAN device: %w", err)
	}
	if err := h.LinkSetMaster(made, bridge); err != nil {
		return fmt.Errorf("put a VXLAN device in the bridge: %w", err)
	}
	if err := h.LinkSetIsolated(made, true); err != nil {
		return fmt.Errorf("isolate a port of the bridge: %w", err)
	}
	return nil
}
