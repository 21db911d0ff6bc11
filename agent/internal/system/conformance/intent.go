package conformance

import (
	"maps"
	"net/netip"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// The VNIs of three tenants.
const (
	red   netmodel.VNI = 104001
	green netmodel.VNI = 104002
	blue  netmodel.VNI = 104003
)

// provisioningVLAN lies below the VNIs'.
const provisioningVLAN = 20

// intent asks for the machine ports in provisioning, but for those that changes place elsewhere.
func (r *run) intent(changes ...netmodel.PortIntent) plan.Intent {
	in := plan.Intent{
		Config: netmodel.SwitchConfig{
			Switch: "leaf1", Role: netmodel.RoleLeaf, Loopback: netip.MustParseAddr("10.255.0.11"), ASN: 4200000011,
			Ports: []netmodel.SwitchPort{{Name: r.uplink, Role: netmodel.PortUplink}},
			Provisioning: netmodel.Provisioning{
				VLAN: provisioningVLAN, Addresses: []netip.Prefix{netip.MustParsePrefix("10.20.1.1/24"), netip.MustParsePrefix("fd00:20:1::1/64")},
			},
		},
		Ports: map[string]netmodel.PortIntent{},
	}
	for _, p := range r.p {
		in.Config.Ports = append(in.Config.Ports, netmodel.SwitchPort{Name: p, Role: netmodel.PortMachine})
		in.Ports[p] = netmodel.PortIntent{Port: p, Mode: netmodel.ModeProvisioning}
	}
	for _, p := range changes {
		in.Ports[p.Port] = p
	}
	return in
}

// tenant places the nth machine port in a VRF.
func (r *run) tenant(n int, vni netmodel.VNI) netmodel.PortIntent {
	return netmodel.PortIntent{
		Port: r.p[n], Mode: netmodel.ModeVRF, VRF: netmodel.VRFName(vni), VNI: vni, PeerASN: 4201000000 + netmodel.ASN(n),
		Grants: []netmodel.Grant{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n + 1)}), 32)}},
	}
}

func (r *run) disabled(n int) netmodel.PortIntent {
	return netmodel.PortIntent{Port: r.p[n], Mode: netmodel.ModeDisabled}
}

// expected is how a switch of an intent looks, but for ports that are not there.
func (r *run) expected(in plan.Intent, missing ...string) View {
	r.Helper()
	facts, err := r.agent.System.Facts(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	v := View{Ports: map[string]Port{}, VRFs: map[string]bool{plan.ProvisionVRF: true}, VNIs: map[netmodel.VNI]bool{}, Neighbours: map[string]string{r.uplink: ""}}
	v.Ports[r.uplink] = Port{Up: true, MTU: in.Config.LinkMTU()}
	for name, p := range maps.All(in.Ports) {
		port := Port{Up: true, MTU: in.Config.LinkMTU()}
		switch p.Mode {
		case netmodel.ModeProvisioning:
			port.Master, port.VLAN, port.Isolated = plan.BridgeName, provisioningVLAN, facts.Capabilities == plan.Capabilities{} || facts.Capabilities.PortIsolation
		case netmodel.ModeVRF:
			port.Master = p.VRF
		case netmodel.ModeDisabled:
			port.Up = false
		}
		v.Ports[name] = port
	}
	for _, name := range missing {
		delete(v.Ports, name)
	}
	for name, p := range in.Ports {
		if _, there := v.Ports[name]; there && p.Mode == netmodel.ModeVRF {
			v.VRFs[p.VRF], v.VNIs[p.VNI], v.Neighbours[name] = true, true, p.VRF
		}
	}
	return v
}
