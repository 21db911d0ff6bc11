package wire

import (
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

var switchRoles = newEnum(map[netmodel.SwitchRole]apiv1.SwitchRole{
	netmodel.RoleLeaf:   apiv1.SwitchRole_SWITCH_ROLE_LEAF,
	netmodel.RoleSpine:  apiv1.SwitchRole_SWITCH_ROLE_SPINE,
	netmodel.RoleBorder: apiv1.SwitchRole_SWITCH_ROLE_BORDER,
})

var portRoles = newEnum(map[netmodel.PortRole]apiv1.PortRole{
	netmodel.PortUplink:   apiv1.PortRole_PORT_ROLE_UPLINK,
	netmodel.PortMachine:  apiv1.PortRole_PORT_ROLE_MACHINE,
	netmodel.PortExternal: apiv1.PortRole_PORT_ROLE_EXTERNAL,
})

var portModes = newEnum(map[netmodel.PortMode]apiv1.PortMode{
	netmodel.ModeProvisioning: apiv1.PortMode_PORT_MODE_PROVISIONING,
	netmodel.ModeVRF:          apiv1.PortMode_PORT_MODE_VRF,
	netmodel.ModeDisabled:     apiv1.PortMode_PORT_MODE_DISABLED,
})

var agentStates = newEnum(map[netmodel.AgentState]apiv1.AgentState{
	netmodel.AgentFollowing: apiv1.AgentState_AGENT_STATE_FOLLOWING,
	netmodel.AgentHolding:   apiv1.AgentState_AGENT_STATE_HOLDING,
})

func SwitchPortsToProto(in []netmodel.SwitchPort) []*apiv1.SwitchPort {
	var out []*apiv1.SwitchPort
	for _, p := range in {
		out = append(out, &apiv1.SwitchPort{Name: p.Name, Role: portRoles.toProto[p.Role], External: externalPeerToProto(p.External)})
	}
	return out
}

func SwitchPortsFromProto(in []*apiv1.SwitchPort) []netmodel.SwitchPort {
	var out []netmodel.SwitchPort
	for _, p := range in {
		out = append(out, netmodel.SwitchPort{Name: p.GetName(), Role: portRoles.fromProto[p.GetRole()], External: externalPeerFromProto(p.GetExternal())})
	}
	return out
}

func ProvisioningToProto(v netmodel.Provisioning) *apiv1.Provisioning {
	if v.VLAN == 0 && len(v.Addresses) == 0 {
		return nil
	}
	return &apiv1.Provisioning{Vlan: uint32(v.VLAN), Addresses: stringsOf(v.Addresses)}
}

func (f *fields) provisioning(m *apiv1.Provisioning) netmodel.Provisioning {
	return netmodel.Provisioning{VLAN: uint16(m.GetVlan()), Addresses: f.prefixes("provisioning.addresses", m.GetAddresses())}
}

// ProvisioningFromProto reads a leaf's provisioning network.
func ProvisioningFromProto(m *apiv1.Provisioning) (netmodel.Provisioning, error) {
	var f fields
	v := f.provisioning(m)
	return v, f.err("Provisioning")
}

func SwitchConfigToProto(v netmodel.SwitchConfig) *apiv1.SwitchConfig {
	return &apiv1.SwitchConfig{
		StoreUuid: v.StoreUUID, Switch: v.Switch, Role: switchRoles.toProto[v.Role], Rack: v.Rack,
		Loopback: addrToProto(v.Loopback), Asn: uint32(v.ASN), Ports: SwitchPortsToProto(v.Ports),
		Provisioning: ProvisioningToProto(v.Provisioning), Mtu: uint32(v.MTU), Generation: v.Generation,
	}
}

func SwitchConfigFromProto(m *apiv1.SwitchConfig) (netmodel.SwitchConfig, error) {
	var f fields
	v := netmodel.SwitchConfig{
		StoreUUID: m.GetStoreUuid(), Switch: m.GetSwitch(), Role: switchRoles.fromProto[m.GetRole()], Rack: m.GetRack(),
		Loopback: f.addr("loopback", m.GetLoopback()), ASN: netmodel.ASN(m.GetAsn()), Ports: SwitchPortsFromProto(m.GetPorts()),
		Provisioning: f.provisioning(m.GetProvisioning()), MTU: int(m.GetMtu()), Generation: m.GetGeneration(),
	}
	return v, f.err("SwitchConfig")
}

func (f *fields) grants(field string, in []*apiv1.Grant) []netmodel.Grant {
	var out []netmodel.Grant
	for _, g := range in {
		out = append(out, netmodel.Grant{Prefix: f.prefix(field, g.GetPrefix()), MaxLength: int(g.GetMaxLength())})
	}
	return out
}

func grantsToProto(in []netmodel.Grant) []*apiv1.Grant {
	var out []*apiv1.Grant
	for _, g := range in {
		out = append(out, &apiv1.Grant{Prefix: g.Prefix.String(), MaxLength: uint32(g.MaxLength)})
	}
	return out
}

func PortIntentToProto(v netmodel.PortIntent) *apiv1.PortIntent {
	return &apiv1.PortIntent{
		Switch: v.Switch, Port: v.Port, Generation: v.Generation, Mode: portModes.toProto[v.Mode], Vrf: v.VRF, Vni: uint32(v.VNI),
		Project: v.Project, Network: v.Network, Allocation: v.Allocation, PeerAsn: uint32(v.PeerASN), Grants: grantsToProto(v.Grants),
		External: externalSessionToProto(v.External),
	}
}

func PortIntentFromProto(m *apiv1.PortIntent) (netmodel.PortIntent, error) {
	var f fields
	v := netmodel.PortIntent{
		Switch: m.GetSwitch(), Port: m.GetPort(), Generation: m.GetGeneration(), Mode: portModes.fromProto[m.GetMode()],
		VRF: m.GetVrf(), VNI: netmodel.VNI(m.GetVni()), Project: m.GetProject(), Network: m.GetNetwork(),
		Allocation: m.GetAllocation(), PeerASN: netmodel.ASN(m.GetPeerAsn()), Grants: f.grants("grants.prefix", m.GetGrants()),
		External: f.externalSession(m.GetExternal()),
	}
	return v, f.err("PortIntent")
}

func ProbeToProto(v netmodel.Probe) *apiv1.ProbeIntent {
	m := &apiv1.ProbeIntent{
		Allocation: v.Allocation, Project: v.Project, Generation: v.Generation, Vrf: v.VRF, Vni: uint32(v.VNI), Prefixes: stringsOf(v.Prefixes),
	}
	for _, o := range v.Origins {
		m.Origins = append(m.Origins, &apiv1.ProbeOrigin{Switch: o.Switch, Loopback: addrToProto(o.Loopback)})
	}
	return m
}

func ProbeFromProto(m *apiv1.ProbeIntent) (netmodel.Probe, error) {
	var f fields
	v := netmodel.Probe{
		Allocation: m.GetAllocation(), Project: m.GetProject(), Generation: m.GetGeneration(), VRF: m.GetVrf(),
		VNI: netmodel.VNI(m.GetVni()), Prefixes: f.prefixes("prefixes", m.GetPrefixes()),
	}
	for _, o := range m.GetOrigins() {
		v.Origins = append(v.Origins, netmodel.ProbeOrigin{Switch: o.GetSwitch(), Loopback: f.addr("origins.loopback", o.GetLoopback())})
	}
	return v, f.err("ProbeIntent")
}

func DiscoveryToProto(v netmodel.Discovery) *apiv1.Discovery {
	m := &apiv1.Discovery{Switch: v.Switch, Port: v.Port}
	for _, n := range v.Neighbours {
		m.Neighbours = append(m.Neighbours, &apiv1.LLDPNeighbour{
			ChassisId: n.ChassisID, ChassisIdSubtype: uint32(n.ChassisIDSubtype), PortId: n.PortID, PortIdSubtype: uint32(n.PortIDSubtype),
			PortDescription: n.PortDescription, SystemName: n.SystemName, SystemDescription: n.SystemDescription,
			SourceMac: n.SourceMAC, FirstSeen: timeToProto(n.FirstSeen),
		})
	}
	return m
}

func DiscoveryFromProto(m *apiv1.Discovery) (netmodel.Discovery, error) {
	v := netmodel.Discovery{Switch: m.GetSwitch(), Port: m.GetPort()}
	for _, n := range m.GetNeighbours() {
		v.Neighbours = append(v.Neighbours, netmodel.Neighbour{
			ChassisID: n.GetChassisId(), ChassisIDSubtype: uint8(n.GetChassisIdSubtype()), PortID: n.GetPortId(), PortIDSubtype: uint8(n.GetPortIdSubtype()),
			PortDescription: n.GetPortDescription(), SystemName: n.GetSystemName(), SystemDescription: n.GetSystemDescription(),
			SourceMAC: n.GetSourceMac(), FirstSeen: timeFromProto(n.GetFirstSeen()),
		})
	}
	return v, nil
}

func PortStatusToProto(v netmodel.PortStatus) *apiv1.PortStatus {
	return &apiv1.PortStatus{
		Port: v.Port, AppliedGeneration: v.AppliedGeneration, Mode: portModes.toProto[v.Mode], Vrf: v.VRF, OperUp: v.OperUp, Error: v.Error,
		RevertedGeneration: v.RevertedGeneration, AppliedTime: timeToProto(v.AppliedTime), ReceivedTime: timeToProto(v.ReceivedTime),
	}
}

func PortStatusFromProto(m *apiv1.PortStatus) (netmodel.PortStatus, error) {
	return netmodel.PortStatus{
		Port: m.GetPort(), AppliedGeneration: m.GetAppliedGeneration(), Mode: portModes.fromProto[m.GetMode()], VRF: m.GetVrf(), OperUp: m.GetOperUp(),
		Error: m.GetError(), RevertedGeneration: m.GetRevertedGeneration(), AppliedTime: timeFromProto(m.GetAppliedTime()), ReceivedTime: timeFromProto(m.GetReceivedTime()),
	}, nil
}

func SessionStatusToProto(v netmodel.SessionStatus) *apiv1.SessionStatus {
	return &apiv1.SessionStatus{
		Port: v.Port, Generation: v.Generation, Vrf: v.VRF, State: v.State, Established: v.Established, PeerAsn: uint32(v.PeerASN),
		PrefixesReceived: v.PrefixesReceived, EstablishedTime: timeToProto(v.EstablishedTime), LastResetReason: v.LastResetReason,
	}
}

func SessionStatusFromProto(m *apiv1.SessionStatus) (netmodel.SessionStatus, error) {
	return netmodel.SessionStatus{
		Port: m.GetPort(), Generation: m.GetGeneration(), VRF: m.GetVrf(), State: m.GetState(), Established: m.GetEstablished(), PeerASN: netmodel.ASN(m.GetPeerAsn()),
		PrefixesReceived: m.GetPrefixesReceived(), EstablishedTime: timeFromProto(m.GetEstablishedTime()), LastResetReason: m.GetLastResetReason(),
	}, nil
}

func ProbeStatusToProto(v netmodel.ProbeStatus) *apiv1.ProbeStatus {
	m := &apiv1.ProbeStatus{Allocation: v.Allocation, Generation: v.Generation, Satisfied: v.Satisfied, VrfPresent: v.VRFPresent, Time: timeToProto(v.Time)}
	for _, r := range v.Results {
		m.Results = append(m.Results, &apiv1.ProbeResult{Prefix: r.Prefix.String(), Origins: stringsOf(r.Origins)})
	}
	return m
}

func ProbeStatusFromProto(m *apiv1.ProbeStatus) (netmodel.ProbeStatus, error) {
	var f fields
	v := netmodel.ProbeStatus{Allocation: m.GetAllocation(), Generation: m.GetGeneration(), Satisfied: m.GetSatisfied(), VRFPresent: m.GetVrfPresent(), Time: timeFromProto(m.GetTime())}
	for _, r := range m.GetResults() {
		v.Results = append(v.Results, netmodel.ProbeResult{Prefix: f.prefix("results.prefix", r.GetPrefix()), Origins: f.addrs("results.origins", r.GetOrigins())})
	}
	return v, f.err("ProbeStatus")
}

func SwitchStatusToProto(v netmodel.SwitchStatus) *apiv1.SwitchStatus {
	return &apiv1.SwitchStatus{
		Switch: v.Switch, State: agentStates.toProto[v.State], Reason: v.Reason, AgentVersion: v.AgentVersion, FrrVersion: v.FRRVersion, NetworkOs: v.NetworkOS,
		Kernel: v.Kernel, ConfigGeneration: v.ConfigGeneration, Drift: v.Drift, LastError: v.LastError, Ports: v.Ports, Capabilities: capabilitiesToProto(v.Capabilities),
	}
}

// capabilitiesToProto gives none for a switch that said nothing of them.
func capabilitiesToProto(v netmodel.Capabilities) *apiv1.Capabilities {
	if v == (netmodel.Capabilities{}) {
		return nil
	}
	return &apiv1.Capabilities{
		MaxVrfs: uint32(v.MaxVRFs), FirstVlan: uint32(v.FirstVLAN), LastVlan: uint32(v.LastVLAN), VrfName: v.VRFName, MaxDeviceName: uint32(v.MaxDeviceName),
		NeighbourSuppression: v.NeighbourSuppression, PortIsolation: v.PortIsolation,
		FirstReservedVlan: uint32(v.FirstReservedVLAN), LastReservedVlan: uint32(v.LastReservedVLAN),
	}
}

func SwitchStatusFromProto(m *apiv1.SwitchStatus) (netmodel.SwitchStatus, error) {
	return netmodel.SwitchStatus{
		Switch: m.GetSwitch(), State: agentStates.fromProto[m.GetState()], Reason: m.GetReason(), AgentVersion: m.GetAgentVersion(), FRRVersion: m.GetFrrVersion(), NetworkOS: m.GetNetworkOs(),
		Kernel: m.GetKernel(), ConfigGeneration: m.GetConfigGeneration(), Drift: m.GetDrift(), LastError: m.GetLastError(), Ports: m.GetPorts(),
		Capabilities: capabilitiesFromProto(m.GetCapabilities()),
	}, nil
}

func capabilitiesFromProto(m *apiv1.Capabilities) netmodel.Capabilities {
	return netmodel.Capabilities{
		MaxVRFs: int(m.GetMaxVrfs()), FirstVLAN: uint16(m.GetFirstVlan()), LastVLAN: uint16(m.GetLastVlan()), VRFName: m.GetVrfName(), MaxDeviceName: int(m.GetMaxDeviceName()),
		NeighbourSuppression: m.GetNeighbourSuppression(), PortIsolation: m.GetPortIsolation(),
		FirstReservedVLAN: uint16(m.GetFirstReservedVlan()), LastReservedVLAN: uint16(m.GetLastReservedVlan()),
	}
}

func AliveToProto(v netmodel.Alive) *apiv1.Alive {
	return &apiv1.Alive{BootId: v.BootID, Since: timeToProto(v.Since)}
}

func AliveFromProto(m *apiv1.Alive) (netmodel.Alive, error) {
	return netmodel.Alive{BootID: m.GetBootId(), Since: timeFromProto(m.GetSince())}, nil
}
