package plan

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Desired returns what the switch must be, the switch-local numbers that this takes (to be stored), and why some ports cannot be
// what their intents ask; those ports are wanted down and in nothing. It fails only if the switch's own configuration makes no
// sense: then nothing may change. Same input, same bytes.
func Desired(intent Intent, facts Facts) (State, Assignments, []Problem, error) {
	b := newBuild(intent, facts)
	if facts.Refusal != "" {
		return State{}, Assignments{}, nil, fmt.Errorf("switch %q is left alone: %s", b.config.Switch, facts.Refusal)
	}
	if err := b.checkConfig(); err != nil {
		return State{}, Assignments{}, nil, fmt.Errorf("configuration of switch %q: %w", b.config.Switch, err)
	}
	b.place()
	for _, step := range []func() error{b.desireVRFs, b.desireVNIs, b.desireFRR} {
		if err := step(); err != nil {
			return State{}, Assignments{}, nil, fmt.Errorf("desired state of switch %q: %w", b.config.Switch, err)
		}
	}
	b.desireLoopback()
	b.desireRules()
	b.desireSVIs()
	b.desireBridge()
	b.desirePorts()
	b.desireProtection()
	b.desireSysctls()
	return State{Kernel: b.kernel, FRR: b.frr, SVIsLast: facts.MistakesSVIs}, b.assigned, b.problems, nil
}

// build is a desired state in the making. Each thing has a file, whose desire… method adds it.
type build struct {
	intent     Intent
	config     netmodel.SwitchConfig
	facts      Facts
	ranges     Ranges
	limits     limits
	mac        MAC
	tenants    map[string]tenant              // by VRF
	vniOwner   map[netmodel.VNI]string        // VRF
	placements map[string]netmodel.PortIntent // by port; only those that can be met
	problems   []Problem

	kernel   Kernel
	frr      frr.Config
	assigned Assignments
}

func newBuild(intent Intent, facts Facts) *build {
	b := &build{
		intent: intent, config: intent.Config, facts: facts, ranges: facts.Ranges, mac: facts.BridgeMAC,
		tenants: map[string]tenant{}, vniOwner: map[netmodel.VNI]string{}, placements: map[string]netmodel.PortIntent{},
		assigned: Assignments{VNIs: map[string]netmodel.VNI{}},
		kernel: Kernel{
			Loopback: map[netip.Prefix]Ownership{}, Ports: map[string]Port{}, VRFs: map[string]VRF{}, SVIs: map[uint16]SVI{},
			VNIs: map[netmodel.VNI]VXLAN{}, Unreachable: map[DefaultRoute]bool{}, Sysctls: map[string]string{},
		},
	}
	if b.ranges == (Ranges{}) {
		b.ranges = DefaultRanges
	}
	if b.mac == (MAC{}) && b.config.Loopback.IsValid() {
		b.mac = RouterMAC(b.config.Loopback)
	}
	return b
}

// minMTU leaves IPv6 its 1280 bytes (RFC 8200) inside a tunnel.
const (
	minMTU = 1280 + tunnelOverhead
	maxMTU = 65535
)

func (b *build) checkConfig() error {
	c := b.config
	errs := []error{b.narrow(b.facts.Capabilities)}
	if !c.Loopback.Is4() {
		errs = append(errs, fmt.Errorf("loopback %v is not an IPv4 address", c.Loopback))
	}
	if c.ASN == 0 {
		errs = append(errs, errors.New("ASN is 0"))
	}
	if mtu := c.LinkMTU(); mtu < minMTU || mtu > maxMTU {
		errs = append(errs, fmt.Errorf("MTU %d is not in %d-%d", mtu, minMTU, maxMTU))
	}
	if v := c.Provisioning.VLAN; v != 0 && (v < b.limits.FirstVLAN || v > b.limits.LastVLAN || v >= b.ranges.FirstVLAN && v <= b.ranges.LastVLAN) {
		errs = append(errs, fmt.Errorf("provisioning VLAN %d is not in %d-%d, or lies in the VNIs' range %d-%d", v, b.limits.FirstVLAN, b.limits.LastVLAN, b.ranges.FirstVLAN, b.ranges.LastVLAN))
	}
	if v := c.Provisioning.VLAN; b.limits.reserves(v) {
		errs = append(errs, fmt.Errorf("provisioning VLAN %d is one of %d-%d, which the switch keeps for itself", v, b.limits.FirstReservedVLAN, b.limits.LastReservedVLAN))
	}
	names := map[string]bool{}
	for _, p := range c.Ports {
		if names[p.Name] {
			errs = append(errs, fmt.Errorf("port %q is named twice", p.Name))
		}
		names[p.Name] = true
	}
	return errors.Join(errs...)
}

func (b *build) problem(port string, err error) {
	b.problems = append(b.problems, Problem{port, err})
}

// provisioning reports whether the switch has a provisioning network. A spine has no machine ports and needs none.
func (b *build) provisioning() bool { return b.config.Provisioning.VLAN != 0 && b.hasMachinePorts() }

func (b *build) hasMachinePorts() bool { return b.hasPorts(netmodel.PortMachine) }

// routesTenants reports whether the switch may have VRFs: ports of machines or to the outside.
func (b *build) routesTenants() bool {
	return b.hasMachinePorts() || b.hasPorts(netmodel.PortExternal)
}

func (b *build) hasPorts(role netmodel.PortRole) bool {
	return slices.ContainsFunc(b.config.Ports, func(p netmodel.SwitchPort) bool { return p.Role == role })
}

func (b *build) exists(port string) bool {
	_, ok := b.facts.Ports[port]
	return ok && portName.MatchString(port)
}

// hostname is what FRR shows: the host's own name where it has one.
func (b *build) hostname() string {
	if b.facts.Hostname != "" {
		return b.facts.Hostname
	}
	return b.config.Switch
}
