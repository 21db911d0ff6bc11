package linux

import (
	"context"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Observe implements system.System. It fails only if the devices cannot be listed; any other part that cannot be read is unknown.
func (s *System) Observe(ctx context.Context) (plan.State, error) {
	// FRR answers when it has time: meanwhile the kernel is read.
	readFRR := s.observeFRR(ctx)
	links, err := s.links()
	if err != nil {
		return plan.State{}, err
	}
	members, err := s.route.members()
	if err != nil {
		return plan.State{}, err
	}
	o := observation{links: links, members: members, kernel: plan.Kernel{
		Loopback: map[netip.Prefix]plan.Ownership{}, Ports: map[string]plan.Port{}, VRFs: map[string]plan.VRF{},
		SVIs: map[uint16]plan.SVI{}, VNIs: map[netmodel.VNI]plan.VXLAN{}, Unreachable: map[plan.DefaultRoute]bool{}, Sysctls: map[string]string{},
	}}
	o.devices(s.isPort)
	state := plan.State{}
	for _, part := range []struct {
		name plan.Part
		read func() error
	}{
		{plan.PartAddresses, func() error { return o.addresses(s.route) }},
		{plan.PartRoutes, func() error { return o.routes(s.route) }},
		{plan.PartRules, func() (err error) { o.kernel.Rules, err = s.route.rules(); return err }},
		{plan.PartSysctls, func() error { return readSysctls(o.kernel.Sysctls) }},
		{plan.PartProtection, func() (err error) { o.kernel.Protection, err = s.protection.Observe(); return err }},
		{plan.PartFRR, func() (err error) { state.FRR, err = readFRR(); return err }},
		{plan.PartFRRSaved, func() (err error) { state.FRRSaved, err = s.frr.Saved(ctx); return err }},
	} {
		if err := part.read(); err != nil {
			s.log.Warn("a part of the switch's state is unknown", "part", part.name, "error", err)
			state.Unknown = append(state.Unknown, part.name)
		}
	}
	state.Kernel = o.kernel
	return state, nil
}

// observeFRR begins to read what FRR runs; the function that it returns waits for that.
func (s *System) observeFRR(ctx context.Context) func() (frr.Config, error) {
	type reading struct {
		config frr.Config
		err    error
	}
	done := make(chan reading, 1)
	go func() {
		config, err := s.frr.Running(ctx)
		done <- reading{config, err}
	}()
	return func() (frr.Config, error) {
		r := <-done
		return r.config, r.err
	}
}

// observation is an observed state in the making.
type observation struct {
	links   map[int]link
	members map[int][]plan.Member
	kernel  plan.Kernel
}

func (o *observation) devices(isPort func(l link, master string) bool) {
	for _, l := range o.links {
		vlan, svi := sviOf(l)
		vni, vxlan := vniOf(l)
		switch {
		case l.name == plan.LoopbackName:
			o.kernel.LoopbackUp = l.up
		case l.name == plan.BridgeName && l.kind == "bridge":
			o.kernel.Bridge = o.bridge(l)
		case vrfOf(l):
			o.kernel.VRFs[l.name] = plan.VRF{Table: l.data.uint32(nl.IFLA_VRF_TABLE), Up: l.up}
			l.addSysctls(o.kernel.Sysctls)
		case svi:
			o.kernel.SVIs[vlan] = o.svi(l, vlan)
			l.addSysctls(o.kernel.Sysctls)
		case vxlan:
			o.kernel.VNIs[netmodel.VNI(vni)] = o.vxlan(l, vni)
		case isPort(l, o.master(l)):
			o.kernel.Ports[l.name] = o.port(l)
			l.addSysctls(o.kernel.Sysctls)
		}
	}
}

func (o *observation) master(l link) string { return o.links[l.master].name }

func (o *observation) bridge(l link) *plan.Bridge {
	b := &plan.Bridge{
		MAC: l.mac, MTU: l.mtu, Up: l.up,
		VLANFiltering: l.data.uint8(nl.IFLA_BR_VLAN_FILTERING) == 1, DefaultPVID: l.data.uint16(nl.IFLA_BR_VLAN_DEFAULT_PVID),
	}
	for _, m := range o.members[l.index] {
		b.VLANs = append(b.VLANs, m.VLAN)
	}
	return b
}

func (o *observation) port(l link) plan.Port {
	p := plan.Port{Up: l.up, OperUp: l.operUp, MTU: l.mtu, Master: o.master(l)}
	if l.slaveKind == "bridge" {
		p.VLANs, p.Isolated = o.members[l.index], l.slave.uint8(nl.IFLA_BRPORT_ISOLATED) == 1
	}
	return p
}

func (o *observation) svi(l link, vlan uint16) plan.SVI {
	return plan.SVI{
		Broken: l.kind != "vlan" || l.data.uint16(nl.IFLA_VLAN_ID) != vlan || o.links[l.parent].name != plan.BridgeName,
		VRF:    o.master(l), MAC: l.mac, MTU: l.mtu, Up: l.up, LinkLocal: !l.noLinkLocal,
	}
}

func (o *observation) vxlan(l link, vni uint32) plan.VXLAN {
	local, _ := netip.AddrFromSlice(l.data[nl.IFLA_VXLAN_LOCAL])
	v := plan.VXLAN{
		Broken: l.kind != "vxlan" || l.data.uint32(nl.IFLA_VXLAN_ID) != vni,
		Local:  local, MTU: l.mtu, Up: l.up, Learning: l.data.uint8(nl.IFLA_VXLAN_LEARNING) == 1,
		LinkLocal: !l.noLinkLocal, Master: o.master(l), VLANs: o.members[l.index],
	}
	if l.slaveKind == "bridge" {
		v.PortLearning = l.slave.uint8(nl.IFLA_BRPORT_LEARNING) == 1
		v.NeighSuppress = l.slave.uint8(nl.IFLA_BRPORT_NEIGH_SUPPRESS) == 1
	}
	return v
}

func (o *observation) addresses(s *socket) error {
	byDevice, err := s.addresses()
	if err != nil {
		return err
	}
	for index, addresses := range byDevice {
		l := o.links[index]
		vlan, svi := sviOf(l)
		for _, a := range addresses {
			switch {
			case l.name == plan.LoopbackName && !a.prefix.Addr().IsLoopback():
				o.kernel.Loopback[a.prefix] = plan.Ownership(a.label == loopbackLabel)
			case svi:
				s := o.kernel.SVIs[vlan]
				s.Addresses = append(s.Addresses, a.prefix)
				slices.SortFunc(s.Addresses, netip.Prefix.Compare)
				o.kernel.SVIs[vlan] = s
			}
		}
	}
	return nil
}

// routes notes unreachable defaults that are ours by protocol, or that end one of our tables.
func (o *observation) routes(s *socket) error {
	list, err := s.unreachables()
	if err != nil {
		return err
	}
	tables := map[uint32]bool{}
	for _, vrf := range o.kernel.VRFs {
		tables[vrf.Table] = true
	}
	for _, u := range list {
		if u.ours || tables[u.route.Table] {
			o.kernel.Unreachable[u.route] = true
		}
	}
	return nil
}
