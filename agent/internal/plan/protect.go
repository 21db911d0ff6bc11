package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// ProtectTable is our table of nftables, in family inet. Other tables are nobody's business here.
const ProtectTable = "pointsman"

// Hook is where packets enter a chain.
type Hook string

// Hooks of base chains; a chain without one is entered from others.
const (
	HookInput   Hook = "input"   // packets for the switch's own CPU
	HookIngress Hook = "ingress" // every IP packet of one device, before anything else
)

// Chain is a chain of our table. Rules are in the words of nft(8), as package nft understands and reads them back.
type Chain struct {
	Hook   Hook
	Device string // with HookIngress
	Rules  []string
}

// Equal reports whether two chains are the same.
func (c Chain) Equal(o Chain) bool {
	return c.Hook == o.Hook && c.Device == o.Device && slices.Equal(c.Rules, o.Rules)
}

func (c Chain) String() string {
	begin := ""
	if c.Hook != "" {
		begin = strings.TrimSpace(fmt.Sprintf("hook %s %s", c.Hook, c.Device)) + "; "
	}
	return begin + strings.Join(c.Rules, "; ")
}

// CPUClass is a kind of packet that a machine may send to the switch's own CPU, with a limit and a counter of its own: a flood of
// one holds up no other.
type CPUClass string

// Classes by what they are.
const (
	CPUBGP  CPUClass = "bgp"
	CPUBFD  CPUClass = "bfd"
	CPUND   CPUClass = "nd"
	CPUICMP CPUClass = "icmp"
	CPUDHCP CPUClass = "dhcp"
)

// CPUClasses lists the classes.
var CPUClasses = []CPUClass{CPUBGP, CPUBFD, CPUND, CPUICMP, CPUDHCP}

// Chain is the name of the chain and of the set that limit a class; nft(8) knows some of the bare words as its own.
func (c CPUClass) Chain() string { return "cpu-" + string(c) }

// Protect says whether and how a switch protects itself.
type Protect struct {
	// On is false where that is not wanted, or where the kernel has no nftables.
	On bool
	// Limits are in packets a second from one port; a class without one has that of DefaultLimits.
	Limits map[CPUClass]int
}

// DefaultLimits leave room for a full session with fast BFD, and none for a flood.
var DefaultLimits = map[CPUClass]int{CPUBGP: 2000, CPUBFD: 200, CPUND: 100, CPUICMP: 200, CPUDHCP: 50}

func (p Protect) limit(c CPUClass) int {
	if n := p.Limits[c]; n > 0 {
		return n
	}
	return DefaultLimits[c]
}

// SetProtection brings chains of our table to what they must be, in one transaction.
type SetProtection struct {
	Set    map[string]Chain
	Delete []string
	For
}

func (o SetProtection) String() string {
	var lines []string
	for _, name := range o.Delete {
		lines = append(lines, "nft delete chain "+name)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Set)) {
		lines = append(lines, "nft chain "+name+": "+o.Set[name].String())
	}
	return strings.Join(lines, "\n")
}

// DeleteProtection deletes our table.
type DeleteProtection struct{ For }

func (o DeleteProtection) String() string { return "nft delete table inet " + ProtectTable }

// Every packet of a machine port carries the port in its mark from its first moment on: behind the bridge or the VRF, the kernel
// shows the SVI or the VRF in its place.
const (
	portMark     = "0x504d0000"
	portMarkMask = "0xffff0000"
	portMarkSet  = "meta mark set iif & 0x0000ffff | "
	// externalMark is that of an external port: other rules are for what it says to the CPU.
	externalMark = "0x504e0000"
)

const (
	chainInput    = "input"
	chainMachine  = "machine"
	chainExternal = "external"
	// chainPort begins the name of the chain of a port.
	chainPort = "port-"
)

// desireProtection wants one chain for packets to the CPU, and one for each machine or external port.
func (b *build) desireProtection() {
	if !b.facts.Protect.On {
		return
	}
	b.kernel.Protection = map[string]Chain{chainInput: b.inputChain(), chainMachine: {Rules: machineRules}}
	for _, c := range CPUClasses {
		b.kernel.Protection[c.Chain()] = Chain{Rules: []string{
			fmt.Sprintf("update @%s { meta mark limit rate over %d/second burst %d packets } counter drop", c.Chain(), b.facts.Protect.limit(c), b.facts.Protect.limit(c)),
			"accept",
		}}
	}
	for _, p := range b.config.Ports {
		if !b.exists(p.Name) {
			continue
		}
		switch p.Role {
		case netmodel.PortMachine:
			b.kernel.Protection[chainPort+p.Name] = Chain{Hook: HookIngress, Device: p.Name, Rules: b.portRules(b.placements[p.Name])}
		case netmodel.PortExternal:
			b.kernel.Protection[chainPort+p.Name] = Chain{Hook: HookIngress, Device: p.Name, Rules: externalPortRules(b.placements[p.Name])}
			b.kernel.Protection[chainExternal] = Chain{Rules: externalRules}
		}
	}
}

// inputChain lets in VXLAN from uplinks only, and sends what machines say to the rules for machines. VRFs are ours by their names;
// what comes in there without a port's mark comes out of a tunnel, from a machine on another leaf.
func (b *build) inputChain() Chain {
	var rules []string
	for _, p := range b.config.Ports {
		if p.Role == netmodel.PortUplink && b.exists(p.Name) {
			rules = append(rules, fmt.Sprintf("iifname %s udp dport 4789 accept", p.Name))
		}
	}
	slices.Sort(rules)
	rules = append(rules, "udp dport 4789 counter drop", fmt.Sprintf("meta mark & %s == %s goto %s", portMarkMask, portMark, chainMachine))
	if b.hasPorts(netmodel.PortExternal) {
		rules = append(rules, fmt.Sprintf("meta mark & %s == %s goto %s", portMarkMask, externalMark, chainExternal))
	}
	return Chain{Hook: HookInput, Rules: append(rules,
		"iifname Vrf* goto "+chainMachine,
		"iifname "+ProvisionVRF+" goto "+chainMachine,
	)}
}

// machineRules is all that a machine may say to the switch itself.
var machineRules = slices.Concat(
	neighbourRules,
	[]string{
		"udp sport 68 udp dport 67 goto cpu-dhcp",
		"udp sport 546 udp dport 547 goto cpu-dhcp",
		"counter drop",
	},
)

// externalRules is all that the outside may say: nobody out there gets an address of us.
var externalRules = slices.Concat(neighbourRules, []string{"counter drop"})

// neighbourRules is what a neighbour that speaks BGP has to say.
var neighbourRules = slices.Concat(
	// Neighbour discovery never passes a router (RFC 4861, 6.1 and 7.1).
	each("ip6 hoplimit 255 icmpv6 type %d goto cpu-nd", 133, 134, 135, 136, 137),
	[]string{
		// Sessions are unnumbered: link-local on both ends. Answers of the peer's port 179 open no connection.
		"ip6 saddr fe80::/10 ip6 daddr fe80::/10 tcp dport 179 goto cpu-bgp",
		"ip6 saddr fe80::/10 ip6 daddr fe80::/10 tcp sport 179 tcp flags & 0x12 != 0x02 goto cpu-bgp",
		// BFD of one hop (RFC 5881, 5).
		"ip6 saddr fe80::/10 ip6 hoplimit 255 udp dport 3784 goto cpu-bfd",
	},
	each("icmp type %d goto cpu-icmp", 0, 3, 8, 11, 12),
	each("icmpv6 type %d goto cpu-icmp", 1, 2, 3, 4, 128, 129),
)

func each(format string, numbers ...int) []string {
	var out []string
	for _, n := range numbers {
		out = append(out, fmt.Sprintf(format, n))
	}
	return out
}

// portRules lets pass what the machine on a port may be the source of. Link-local packets stay on the link, and the unspecified
// address only asks whether another is free (RFC 4862).
func (b *build) portRules(intent netmodel.PortIntent) []string {
	rules := []string{
		portMarkSet + portMark,
		"ip6 saddr fe80::/10 ip6 daddr fe80::/10 accept",
		"ip6 saddr fe80::/10 ip6 daddr ff02::/16 accept",
		"ip6 saddr ::/128 ip6 daddr ff02::/16 meta l4proto icmpv6 accept",
	}
	switch intent.Mode {
	case netmodel.ModeVRF:
		for _, g := range intent.Grants {
			rules = append(rules, fromPrefix(g.Prefix))
		}
	case netmodel.ModeProvisioning:
		rules = append(rules, "ip saddr 0.0.0.0/32 ip daddr 255.255.255.255/32 udp dport 67 accept")
		for _, p := range b.config.Provisioning.Addresses {
			rules = append(rules, fromPrefix(p))
		}
	default:
		return []string{"counter drop"}
	}
	slices.Sort(rules[4:])
	return append(slices.Compact(rules), "counter drop")
}

// externalPortRules lets pass what may come from outside: everybody but us. What claims one of the network's own addresses there is forged
// (RFC 2827). Link-local packets stay on the link.
func externalPortRules(intent netmodel.PortIntent) []string {
	if intent.External == nil {
		return []string{"counter drop"}
	}
	rules := []string{
		portMarkSet + externalMark,
		"ip6 saddr fe80::/10 ip6 daddr fe80::/10 accept",
		"ip6 saddr fe80::/10 ip6 daddr ff02::/16 accept",
		"ip6 saddr fe80::/10 counter drop",
	}
	for _, p := range intent.External.Exports {
		family := "ip"
		if p.Addr().Is6() {
			family = "ip6"
		}
		rules = append(rules, fmt.Sprintf("%s saddr %s counter drop", family, p.Masked()))
	}
	slices.Sort(rules[4:])
	return append(slices.Compact(rules), "accept")
}

// fromPrefix accepts packets from a prefix. One of length 0 is a whole family.
func fromPrefix(p netip.Prefix) string {
	family, protocol := "ip", "ipv4"
	if p.Addr().Is6() {
		family, protocol = "ip6", "ipv6"
	}
	if p.Bits() == 0 {
		return "meta nfproto " + protocol + " accept"
	}
	return fmt.Sprintf("%s saddr %s accept", family, p.Masked())
}

// protection comes while a port that moves is down: when it comes up, what it may send is settled.
func (d *difference) protection() {
	if !d.knows(PartProtection) {
		return
	}
	if d.want.Protection == nil {
		if d.have.Protection != nil {
			d.move(DeleteProtection{})
		}
		return
	}
	op := SetProtection{Set: map[string]Chain{}}
	whole := false
	note := func(name string) {
		if port, ok := strings.CutPrefix(name, chainPort); ok {
			op.For = append(op.For, port)
		} else {
			whole = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.want.Protection)) {
		if have, ok := d.have.Protection[name]; !ok || !have.Equal(d.want.Protection[name]) {
			op.Set[name] = d.want.Protection[name]
			note(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.have.Protection)) {
		if _, wanted := d.want.Protection[name]; !wanted {
			op.Delete = append(op.Delete, name)
			note(name)
		}
	}
	if whole {
		op.For = nil
	}
	if len(op.Set)+len(op.Delete) > 0 {
		d.move(op)
	}
}
