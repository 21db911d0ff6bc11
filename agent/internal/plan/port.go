package plan

import (
	"errors"
	"maps"
	"slices"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// desirePorts places every port that exists: uplinks in the default VRF, machine and external ports where their intent says.
func (b *build) desirePorts() {
	for _, p := range b.config.Ports {
		if !b.exists(p.Name) {
			continue
		}
		port := Port{MTU: b.config.LinkMTU(), Up: true}
		if placed(p.Role) {
			b.stand(&port, b.placements[p.Name])
			b.hold(p.Name, &port)
		}
		b.kernel.Ports[p.Name] = port
	}
}

// stand leaves a port whose intent is wrong down and in nothing: it may be in no tenant's VRF by mistake.
func (b *build) stand(port *Port, intent netmodel.PortIntent) {
	switch intent.Mode {
	case netmodel.ModeVRF:
		port.Master = intent.VRF
	case netmodel.ModeProvisioning:
		port.Master, port.Isolated, port.VLANs = BridgeName, b.limits.PortIsolation, access(b.config.Provisioning.VLAN)
	default:
		port.Up = false
	}
}

// errHeld is why a port in a VRF is down while its switch boots.
var errHeld = errors.New("waits for the sessions of the uplinks: until then, machines would lose here what they send")

// hold leaves a port down that would be a way to nowhere.
func (b *build) hold(name string, port *Port) {
	if port.Up && port.Master != BridgeName && b.facts.Held[name] {
		port.Up = false
		b.problem(name, errHeld)
	}
}

func (d *difference) ports() {
	for _, name := range slices.Sorted(maps.Keys(d.want.Ports)) {
		if have, ok := d.have.Ports[name]; ok {
			d.port(name, have, d.want.Ports[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.have.Ports)) {
		have := d.have.Ports[name]
		if _, wanted := d.want.Ports[name]; !wanted && d.ours(have.Master) {
			d.port(name, have, Port{MTU: have.MTU})
		}
	}
}

// ours reports whether a device is a VRF or bridge of ours.
func (d *difference) ours(master string) bool {
	_, vrf := d.have.VRFs[master]
	return vrf || master == BridgeName && d.want.Bridge != nil
}

// port moves a port while it is down: then no packet of it is looked up anywhere between the two, and when it comes up it makes
// itself a link-local address and wakes the session that already waits for it. FRR hears of the neighbour in between: bgpd that is
// told of a neighbour on a port of another VRF takes the port over at once, misses what zebra then says of it in the old one, and
// may never learn the peer's address (seen with 8.4.4 on a busy machine).
func (d *difference) port(name string, have, want Port) {
	of := For{name}
	moves := have.Master != want.Master
	if have.Up && (moves || !want.Up) {
		d.move(SetUp{Device: name, Before: want.Master, For: of})
	}
	if moves {
		d.move(SetMaster{name, have.Master, want.Master, of})
		have.VLANs, have.Isolated = nil, false
	}
	d.portIPv6(name, want, of)
	if want.Master == BridgeName {
		if have.Isolated != want.Isolated {
			d.move(SetBridgePort{name, Isolated, want.Isolated, of})
		}
		d.move(members(name, have.VLANs, want.VLANs, of)...)
	}
	if have.MTU != want.MTU {
		d.move(SetMTU{name, want.MTU, of})
	}
	if want.Up && (moves || !have.Up) {
		d.raise(SetUp{Device: name, Up: true, For: of})
	}
}

// portIPv6 turns IPv6 on or off, as where the port now is wants it.
func (d *difference) portIPv6(name string, want Port, of For) {
	path, value := deviceSysctl(name, portIPv6), disablesIPv6(want)
	if have := d.have.Sysctls[path]; d.knows(PartSysctls) && have != "" && have != value {
		d.move(SetSysctl{path, value, of})
	}
}

// members leads from one set of VLANs to another; leaving comes first, so that a port is never in two tenants' VLANs.
func members(device string, have, want []Member, of For) []Op {
	var ops []Op
	for _, m := range have {
		if !slices.ContainsFunc(want, func(w Member) bool { return w.VLAN == m.VLAN }) {
			ops = append(ops, DeleteMember{device, m.VLAN, of})
		}
	}
	for _, m := range want {
		if !slices.Contains(have, m) {
			ops = append(ops, AddMember{device, m, of})
		}
	}
	return ops
}
