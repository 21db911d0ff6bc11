// Package compile derives what switches must be from resources: the intent of each port, the configuration of each switch, and
// the probes that prove an allocation. It is pure; the allocator writes what it yields in its transaction, and the compiler loop
// rewrites whatever differs.
package compile

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Port is the intent of a machine port: the allocation's if there is one, else provisioning. Its generation is the writer's.
func Port(sw, port string, allocation *netmodel.Allocation, network *netmodel.Network) netmodel.PortIntent {
	p := netmodel.PortIntent{Switch: sw, Port: port, Mode: netmodel.ModeProvisioning}
	if allocation == nil || network == nil {
		return p
	}
	p.Mode = netmodel.ModeVRF
	p.VRF, p.VNI = network.VRF, network.VNI
	p.Project, p.Network, p.Allocation = allocation.Project, network.ID, allocation.ID
	p.PeerASN = allocation.ASN
	p.Grants = Grants(*allocation, *network)
	return p
}

// Grants are what a machine may announce: its own addresses and service addresses exactly, and routes inside the network's
// announceable ranges.
func Grants(a netmodel.Allocation, n netmodel.Network) []netmodel.Grant {
	var out []netmodel.Grant
	for _, prefix := range Addresses(a) {
		out = append(out, netmodel.Grant{Prefix: prefix})
	}
	for _, r := range n.Announceable {
		if r.MaxLength == 0 {
			r.MaxLength = r.Prefix.Addr().BitLen()
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b netmodel.Grant) int { return comparePrefix(a.Prefix, b.Prefix) })
	return slices.Compact(out)
}

// Addresses are an allocation's own and service addresses as host prefixes, sorted.
func Addresses(a netmodel.Allocation) []netip.Prefix {
	var out []netip.Prefix
	for _, attachment := range a.Attachments {
		for _, addr := range slices.Concat(attachment.Addresses, attachment.ServiceAddresses) {
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
		}
	}
	slices.SortFunc(out, comparePrefix)
	return slices.Compact(out)
}

// own are the addresses that the machine itself has: what it announces for certain.
func own(a netmodel.Allocation) []netip.Prefix {
	for i := range a.Attachments {
		a.Attachments = slices.Clone(a.Attachments)
		a.Attachments[i].ServiceAddresses = nil
	}
	return Addresses(a)
}

func comparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// Config is the configuration of a switch. Its generation is the writer's. Who is at an external port stands in the intent of the VRF.
func Config(sw netmodel.Switch, storeUUID string) netmodel.SwitchConfig {
	ports := slices.Clone(sw.Ports)
	for i := range ports {
		ports[i].External = netmodel.ExternalPeer{}
	}
	return netmodel.SwitchConfig{
		StoreUUID: storeUUID, Switch: sw.ID, Role: sw.Role, Rack: sw.Rack, Loopback: sw.Loopback, ASN: sw.ASN, Ports: ports,
		Provisioning: sw.Provisioning, MTU: sw.MTU,
	}
}

// SamePort says whether two intents are the same but for their generation.
func SamePort(a, b netmodel.PortIntent) bool {
	a.Generation, b.Generation = 0, 0
	grants := slices.Equal(a.Grants, b.Grants)
	a.Grants, b.Grants = nil, nil
	return grants && a.Switch == b.Switch && a.Port == b.Port && a.Mode == b.Mode && a.VRF == b.VRF && a.VNI == b.VNI && a.Project == b.Project &&
		a.Network == b.Network && a.Allocation == b.Allocation && a.PeerASN == b.PeerASN
}

// SameConfig says whether two configurations are the same but for their generation.
func SameConfig(a, b netmodel.SwitchConfig) bool {
	return a.StoreUUID == b.StoreUUID && a.Switch == b.Switch && a.Role == b.Role && a.Rack == b.Rack && a.Loopback == b.Loopback && a.ASN == b.ASN &&
		slices.Equal(a.Ports, b.Ports) && a.Provisioning.VLAN == b.Provisioning.VLAN && slices.Equal(a.Provisioning.Addresses, b.Provisioning.Addresses) && a.MTU == b.MTU
}

// Probes are what the switches shall report on to prove an allocation reachable: every spine, and every other leaf that has the
// network's VRF, on a machine's port or, on a border, for the outside.
func Probes(a netmodel.Allocation, n netmodel.Network, switches []netmodel.Switch, vrfs map[string]map[string]bool) map[string]netmodel.Probe {
	probe := netmodel.Probe{Allocation: a.ID, Project: a.Project, Generation: a.Generation, VRF: n.VRF, VNI: n.VNI, Prefixes: own(a)}
	for _, sw := range switches {
		if isOrigin(a, sw.ID) {
			probe.Origins = append(probe.Origins, netmodel.ProbeOrigin{Switch: sw.ID, Loopback: sw.Loopback})
		}
	}
	slices.SortFunc(probe.Origins, func(a, b netmodel.ProbeOrigin) int { return cmp.Compare(a.Switch, b.Switch) })
	out := map[string]netmodel.Probe{}
	for _, sw := range switches {
		if isOrigin(a, sw.ID) {
			continue
		}
		if sw.Role == netmodel.RoleSpine || vrfs[sw.ID][n.VRF] {
			out[sw.ID] = probe
		}
	}
	return out
}

func isOrigin(a netmodel.Allocation, sw string) bool {
	return slices.ContainsFunc(a.Ports, func(p netmodel.AllocationPort) bool { return p.Switch == sw })
}

// SameProbe says whether two probes ask the same.
func SameProbe(a, b netmodel.Probe) bool {
	return a.Allocation == b.Allocation && a.Project == b.Project && a.Generation == b.Generation && a.VRF == b.VRF && a.VNI == b.VNI &&
		slices.Equal(a.Prefixes, b.Prefixes) && slices.Equal(a.Origins, b.Origins)
}
