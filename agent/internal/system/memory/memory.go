// Package memory is a network operating system in memory that behaves: devices depend on each other as in the kernel, FRR refuses
// what FRR refuses, and whoever watches is told. The agent's simulation runs on it, and so do the tests of the planner and the loop.
// It decides nothing.
package memory

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Switch is a switch in memory. Its methods may be called concurrently.
type Switch struct {
	mu       sync.Mutex
	hostname string
	state    plan.State
	facts    map[string]plan.PortFacts
	routes   map[routeKey][]netip.Addr
	protect  plan.Protect
	fail     func(plan.Op) error
	saw      func(plan.Op, plan.State)
	writes   int

	watchers      map[int]func(why string)
	routeWatchers map[int]func(table uint32, prefix netip.Prefix)
	nextWatcher   int
}

type routeKey struct {
	vrf    string
	prefix netip.Prefix
}

var (
	_ system.System   = (*Switch)(nil)
	_ system.Routes   = (*Switch)(nil)
	_ system.Executor = (*Switch)(nil)
)

// kernelDefaults are settings of a device that nobody has changed.
var kernelDefaults = map[struct {
	family plan.Family
	name   string
}]string{
	{plan.IPv4, "rp_filter"}: "0", {plan.IPv4, "ignore_routes_with_linkdown"}: "0", {plan.IPv6, "ignore_routes_with_linkdown"}: "0",
	{plan.IPv6, "accept_dad"}: "1", {plan.IPv6, "accept_ra"}: "1", {plan.IPv6, "disable_ipv6"}: "0",
}

// mtuOfNew is what the kernel gives a new Ethernet device.
const mtuOfNew = 1500

// New returns a switch as it comes up before anybody configured it: its ports are there, and down.
func New(hostname string, ports ...string) *Switch {
	s := &Switch{
		hostname: hostname, facts: map[string]plan.PortFacts{}, routes: map[routeKey][]netip.Addr{},
		watchers: map[int]func(string){}, routeWatchers: map[int]func(uint32, netip.Prefix){},
		state: plan.State{Kernel: plan.Kernel{
			Loopback: map[netip.Prefix]plan.Ownership{}, Ports: map[string]plan.Port{}, VRFs: map[string]plan.VRF{},
			SVIs: map[uint16]plan.SVI{}, VNIs: map[netmodel.VNI]plan.VXLAN{}, Unreachable: map[plan.DefaultRoute]bool{}, Sysctls: map[string]string{},
			Rules: plan.Rules{IPv4: plan.FamilyRules{LocalFirst: true}, IPv6: plan.FamilyRules{LocalFirst: true}},
		}},
	}
	for _, p := range ports {
		s.addPort(p)
	}
	return s
}

// Name implements system.System.
func (s *Switch) Name() string { return "memory" }

// Observe implements system.System.
func (s *Switch) Observe(context.Context) (plan.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return clone(s.state), nil
}

// Carrier implements system.System.
func (s *Switch) Carrier(port string) bool {
	st, err := s.Observe(context.Background())
	return err == nil && st.Kernel.Ports[port].OperUp
}

// Facts implements system.System.
func (s *Switch) Facts(context.Context) (plan.Facts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return plan.Facts{Hostname: s.hostname, Ports: maps.Clone(s.facts), Protect: s.protect}, nil
}

// Apply implements system.System.
func (s *Switch) Apply(ctx context.Context, ops []plan.Op) []plan.Result {
	results := system.Run(ops, s)
	if len(ops) > 0 {
		s.tell("applied a plan")
	}
	return results
}

// Do implements system.Executor.
func (s *Switch) Do(op plan.Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.fail != nil {
		if err := s.fail(op); err != nil {
			return err
		}
	}
	if err := s.do(op); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if s.saw != nil {
		s.saw(op, s.state)
	}
	return nil
}

// Configure implements system.Executor. FRR's refusals are those that were seen of FRR 8.4.4.
func (s *Switch) Configure(changes []frr.Change) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, len(changes))
	var accepted []frr.Change
	load := func() {
		s.state.FRR = frr.Patch(s.state.FRR, accepted)
		accepted = nil
	}
	for i, c := range changes {
		s.writes++
		if s.fail != nil {
			errs[i] = s.fail(plan.ApplyFRR{Changes: []frr.Change{c}})
		}
		if errs[i] == nil && removesInstance(c) {
			load() // whether FRR refuses depends on what came before
			errs[i] = s.refuses(c)
		}
		if errs[i] == nil {
			accepted = append(accepted, c)
		}
	}
	load()
	return errs
}

// FailWhen makes steps fail for which fail returns an error; nil ends that.
func (s *Switch) FailWhen(fail func(plan.Op) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// Witness calls saw after each step of the kernel, with the state that it led to, which saw must not change.
func (s *Switch) Witness(saw func(plan.Op, plan.State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saw = saw
}

// Writes counts the steps that were tried.
func (s *Switch) Writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// Protect says how the switch protects itself; one that nobody told does not.
func (s *Switch) Protect(p plan.Protect) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.protect = p
}

// Alter changes the switch behind everybody's back, as an operator or a crash would, and wakes whoever watches.
func (s *Switch) Alter(why string, change func(*plan.State)) {
	s.mu.Lock()
	change(&s.state)
	s.mu.Unlock()
	s.tell(why)
}

// Plug adds a port, down, as a new line card does.
func (s *Switch) Plug(port string) {
	s.mu.Lock()
	s.addPort(port)
	s.mu.Unlock()
	s.tell("link " + port)
}

// Unplug takes a port away.
func (s *Switch) Unplug(port string) {
	s.mu.Lock()
	delete(s.state.Kernel.Ports, port)
	delete(s.facts, port)
	maps.DeleteFunc(s.state.Kernel.Protection, func(_ string, c plan.Chain) bool { return c.Device == port })
	s.forgetSysctls(port)
	s.mu.Unlock()
	s.tell("link " + port)
}

// addPort gives a new port an Ethernet address of its own, counted up.
func (s *Switch) addPort(name string) {
	n := len(s.facts) + 1
	s.facts[name] = plan.PortFacts{MAC: plan.MAC{0x02, 0x51, 0, 0, byte(n >> 8), byte(n)}, Speed: 25000}
	s.state.Kernel.Ports[name] = plan.Port{MTU: mtuOfNew}
	for setting, value := range kernelDefaults {
		s.state.Kernel.Sysctls[plan.DeviceSysctl(setting.family, name, setting.name)] = value
	}
	s.inheritSysctls(name)
}

// clone copies what a step may change in place.
func clone(st plan.State) plan.State {
	k := st.Kernel
	if k.Bridge != nil {
		b := *k.Bridge
		b.VLANs = slices.Clone(b.VLANs)
		k.Bridge = &b
	}
	k.Loopback, k.Ports, k.VRFs = maps.Clone(k.Loopback), maps.Clone(k.Ports), maps.Clone(k.VRFs)
	k.SVIs, k.VNIs = maps.Clone(k.SVIs), maps.Clone(k.VNIs)
	k.Unreachable, k.Sysctls, k.Protection = maps.Clone(k.Unreachable), maps.Clone(k.Sysctls), maps.Clone(k.Protection)
	for name, p := range k.Ports {
		p.VLANs = slices.Clone(p.VLANs)
		k.Ports[name] = p
	}
	for vlan, v := range k.SVIs {
		v.Addresses = slices.Clone(v.Addresses)
		k.SVIs[vlan] = v
	}
	for vni, v := range k.VNIs {
		v.VLANs = slices.Clone(v.VLANs)
		k.VNIs[vni] = v
	}
	st.Kernel = k
	st.Unknown = slices.Clone(st.Unknown)
	return st
}
