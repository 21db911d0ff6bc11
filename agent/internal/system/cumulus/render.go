package cumulus

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/cumulus/interfaces"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// stanzas are a kernel in ifupdown2's words: what it would make the same of. Each has what netlink sets and nothing else. What
// ifupdown2 knows no attribute for is a command behind it, or the agent's alone: sysctls, rules, nftables.
func stanzas(k plan.Kernel) []interfaces.Stanza {
	out := []interfaces.Stanza{loopback(k)}
	for _, name := range slices.Sorted(maps.Keys(k.VRFs)) {
		out = append(out, stanza(name, "vrf-table %d", k.VRFs[name].Table))
	}
	if k.Bridge != nil {
		out = append(out, bridge(k))
	}
	for _, vni := range slices.Sorted(maps.Keys(k.VNIs)) {
		v := k.VNIs[vni]
		out = append(out, stanza(plan.VNIName(vni),
			"vxlan-id %d", vni, "vxlan-local-tunnelip %s", v.Local, "vxlan-learning %s", onOff(v.Learning),
			"bridge-access %d", vlanOf(v.VLANs), "bridge-learning %s", onOff(v.PortLearning), "bridge-arp-nd-suppress %s", onOff(v.NeighSuppress),
			"mtu %d", v.MTU, "ipv6-addrgen %s", onOff(v.LinkLocal)))
	}
	for _, vlan := range slices.Sorted(maps.Keys(k.SVIs)) {
		v := k.SVIs[vlan]
		lines := []any{"vlan-id %d", vlan, "vlan-raw-device %s", plan.BridgeName, "vrf %s", v.VRF, "hwaddress %s", v.MAC, "mtu %d", v.MTU, "ipv6-addrgen %s", onOff(v.LinkLocal)}
		for _, a := range v.Addresses {
			lines = append(lines, "address %s", a)
		}
		out = append(out, stanza(plan.SVIName(vlan), lines...))
	}
	for _, name := range portsOf(k) {
		out = append(out, port(name, k.Ports[name]))
	}
	return out
}

func loopback(k plan.Kernel) interfaces.Stanza {
	s := interfaces.Stanza{Name: plan.LoopbackName, Text: "auto lo\niface lo inet loopback\n"}
	for _, p := range slices.SortedFunc(maps.Keys(k.Loopback), netip.Prefix.Compare) {
		if k.Loopback[p] == plan.Ours {
			s.Text += fmt.Sprintf("    address %s\n", p)
		}
	}
	return s
}

// bridge has its VLANs from its SVIs, as ifupdown2 takes a VLAN of the bridge itself from the device on it. What ifupdown2 has no words
// for are commands, and they are the bridge's, which comes up after its ports.
func bridge(k plan.Kernel) interfaces.Stanza {
	var members []string
	commands := []any{"post-up %s", "ip link set dev " + plan.BridgeName + " type bridge vlan_default_pvid 0"}
	for _, name := range portsOf(k) {
		if k.Ports[name].Master != plan.BridgeName {
			continue
		}
		members = append(members, name)
		if k.Ports[name].Isolated {
			commands = append(commands, "post-up %s", "bridge link set dev "+name+" isolated on")
		}
	}
	for _, vni := range slices.Sorted(maps.Keys(k.VNIs)) {
		members = append(members, plan.VNIName(vni))
	}
	lines := []any{"bridge-vlan-aware %s", "yes", "bridge-stp %s", "off", "hwaddress %s", k.Bridge.MAC, "mtu %d", k.Bridge.MTU, "ipv6-addrgen %s", "off"}
	if len(members) > 0 {
		lines = append(lines, "bridge-ports %s", strings.Join(members, " "))
	}
	return stanza(plan.BridgeName, append(lines, commands...)...)
}

func port(name string, p plan.Port) interfaces.Stanza {
	lines := []any{"mtu %d", p.MTU}
	switch {
	case p.Master == plan.BridgeName:
		lines = append(lines, "bridge-access %d", vlanOf(p.VLANs))
	case p.Master != "":
		lines = append(lines, "vrf %s", p.Master)
	}
	if !p.Up {
		lines = append(lines, "link-down %s", "yes")
	}
	return stanza(name, lines...)
}

// stanza writes a device with pairs of a line's format and its value.
func stanza(name string, lines ...any) interfaces.Stanza {
	text := fmt.Sprintf("auto %s\niface %s\n", name, name)
	for i := 0; i < len(lines); i += 2 {
		text += "    " + fmt.Sprintf(lines[i].(string), lines[i+1]) + "\n"
	}
	return interfaces.Stanza{Name: name, Text: text}
}

func vlanOf(members []plan.Member) uint16 {
	for _, m := range members {
		if m.PVID {
			return m.VLAN
		}
	}
	return 0
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// portsOf are the ports as they are counted: swp2 before swp10.
func portsOf(k plan.Kernel) []string {
	return slices.SortedFunc(maps.Keys(k.Ports), netmodel.ComparePortNames)
}
