package wire

import (
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

var networkKinds = newEnum(map[netmodel.NetworkKind]apiv1.NetworkKind{
	netmodel.NetworkPrivate:  apiv1.NetworkKind_NETWORK_KIND_PRIVATE,
	netmodel.NetworkShared:   apiv1.NetworkKind_NETWORK_KIND_SHARED,
	netmodel.NetworkExternal: apiv1.NetworkKind_NETWORK_KIND_EXTERNAL,
	netmodel.NetworkUnderlay: apiv1.NetworkKind_NETWORK_KIND_UNDERLAY,
	netmodel.NetworkPool:     apiv1.NetworkKind_NETWORK_KIND_POOL,
})

var ipKinds = newEnum(map[netmodel.IPKind]apiv1.IPKind{
	netmodel.IPEphemeral: apiv1.IPKind_IP_KIND_EPHEMERAL,
	netmodel.IPStatic:    apiv1.IPKind_IP_KIND_STATIC,
})

var ipStates = newEnum(map[netmodel.IPState]apiv1.IPState{
	netmodel.IPHeld:        apiv1.IPState_IP_STATE_HELD,
	netmodel.IPQuarantined: apiv1.IPState_IP_STATE_QUARANTINED,
})

var phases = newEnum(map[netmodel.Phase]apiv1.Phase{
	netmodel.PhaseAllocated:  apiv1.Phase_PHASE_ALLOCATED,
	netmodel.PhaseConfigured: apiv1.Phase_PHASE_CONFIGURED,
	netmodel.PhaseConnected:  apiv1.Phase_PHASE_CONNECTED,
	netmodel.PhaseReachable:  apiv1.Phase_PHASE_REACHABLE,
})

// NetworkKindFromProto returns the kind, empty for unspecified.
func NetworkKindFromProto(k apiv1.NetworkKind) netmodel.NetworkKind { return networkKinds.fromProto[k] }

// SwitchRoleFromProto returns the role, empty for unspecified.
func SwitchRoleFromProto(r apiv1.SwitchRole) netmodel.SwitchRole { return switchRoles.fromProto[r] }

func announceableToProto(in []netmodel.Grant) []*apiv1.Announceable {
	var out []*apiv1.Announceable
	for _, g := range in {
		out = append(out, &apiv1.Announceable{Prefix: g.Prefix.String(), MaxLength: uint32(g.MaxLength)})
	}
	return out
}

func (f *fields) announceable(in []*apiv1.Announceable) []netmodel.Grant {
	var out []netmodel.Grant
	for _, a := range in {
		out = append(out, netmodel.Grant{Prefix: f.prefix("announceable.prefix", a.GetPrefix()), MaxLength: int(a.GetMaxLength())})
	}
	return out
}

// NetworkToProto converts a network.
func NetworkToProto(v netmodel.Network) *apiv1.Network {
	m := &apiv1.Network{
		Id: v.ID, Project: v.Project, Kind: networkKinds.toProto[v.Kind], Description: v.Description, Prefixes: stringsOf(v.Prefixes),
		Announceable: announceableToProto(v.Announceable), Destinations: stringsOf(v.Destinations), Pool: v.Pool, Vni: uint32(v.VNI), Vrf: v.VRF,
		DefaultIpv4Length: uint32(v.DefaultIPv4Length), DefaultIpv6Length: uint32(v.DefaultIPv6Length), Labels: v.Labels,
		CreateTime: timeToProto(v.CreateTime),
	}
	for _, c := range v.Carved {
		m.Carved = append(m.Carved, &apiv1.CarvedPrefix{Prefix: c.Prefix.String(), Project: c.Project, Network: c.Network})
	}
	return m
}

// NetworkFromProto reads a network.
func NetworkFromProto(m *apiv1.Network) (netmodel.Network, error) {
	var f fields
	v := netmodel.Network{
		ID: m.GetId(), Project: m.GetProject(), Kind: networkKinds.fromProto[m.GetKind()], Description: m.GetDescription(),
		Prefixes: f.prefixes("prefixes", m.GetPrefixes()), Announceable: f.announceable(m.GetAnnounceable()), Destinations: f.prefixes("destinations", m.GetDestinations()), Pool: m.GetPool(),
		VNI: netmodel.VNI(m.GetVni()), VRF: m.GetVrf(), DefaultIPv4Length: int(m.GetDefaultIpv4Length()), DefaultIPv6Length: int(m.GetDefaultIpv6Length()),
		Labels: m.GetLabels(), CreateTime: timeFromProto(m.GetCreateTime()),
	}
	for _, c := range m.GetCarved() {
		v.Carved = append(v.Carved, netmodel.CarvedPrefix{Prefix: f.prefix("carved.prefix", c.GetPrefix()), Project: c.GetProject(), Network: c.GetNetwork()})
	}
	return v, f.err("Network")
}

// IPToProto converts a held address.
func IPToProto(v netmodel.IP) *apiv1.IP {
	return &apiv1.IP{
		Network: v.Network, Address: addrToProto(v.Address), Project: v.Project, Kind: ipKinds.toProto[v.Kind], State: ipStates.toProto[v.State],
		Allocation: v.Allocation, Description: v.Description, CreateTime: timeToProto(v.CreateTime),
	}
}

// IPFromProto reads a held address.
func IPFromProto(m *apiv1.IP) (netmodel.IP, error) {
	var f fields
	v := netmodel.IP{
		Network: m.GetNetwork(), Address: f.addr("address", m.GetAddress()), Project: m.GetProject(), Kind: ipKinds.fromProto[m.GetKind()],
		State: ipStates.fromProto[m.GetState()], Allocation: m.GetAllocation(), Description: m.GetDescription(), CreateTime: timeFromProto(m.GetCreateTime()),
	}
	return v, f.err("IP")
}

// PendingReleaseToProto converts ports that have to prove their release.
func PendingReleaseToProto(in []netmodel.PendingRelease) []*apiv1.PendingRelease {
	var out []*apiv1.PendingRelease
	for _, p := range in {
		out = append(out, &apiv1.PendingRelease{Switch: p.Switch, Port: p.Port, Generation: p.Generation})
	}
	return out
}

// MachineToProto converts what is stored of a machine. State, connections and faults are computed on read.
func MachineToProto(v netmodel.Machine) *apiv1.Machine {
	return &apiv1.Machine{
		Id: v.ID, Rack: v.Rack, SystemUuid: v.SystemUUID, ChassisMac: v.ChassisMAC, PortMacs: v.PortMACs, Description: v.Description,
		Project: v.Project, Allocation: v.Allocation, PendingRelease: PendingReleaseToProto(v.PendingRelease), Labels: v.Labels,
		CreateTime: timeToProto(v.CreateTime),
	}
}

// MachineFromProto reads what is stored of a machine.
func MachineFromProto(m *apiv1.Machine) (netmodel.Machine, error) {
	v := netmodel.Machine{
		ID: m.GetId(), Rack: m.GetRack(), SystemUUID: m.GetSystemUuid(), ChassisMAC: m.GetChassisMac(), PortMACs: m.GetPortMacs(),
		Description: m.GetDescription(), Project: m.GetProject(), Allocation: m.GetAllocation(), Labels: m.GetLabels(),
		CreateTime: timeFromProto(m.GetCreateTime()),
	}
	for _, p := range m.GetPendingRelease() {
		v.PendingRelease = append(v.PendingRelease, netmodel.PendingRelease{Switch: p.GetSwitch(), Port: p.GetPort(), Generation: p.GetGeneration()})
	}
	return v, nil
}

// SwitchToProto converts what is stored of a switch.
func SwitchToProto(v netmodel.Switch) *apiv1.Switch {
	return &apiv1.Switch{
		Id: v.ID, Role: switchRoles.toProto[v.Role], Rack: v.Rack, Loopback: addrToProto(v.Loopback), Asn: uint32(v.ASN), Ports: SwitchPortsToProto(v.Ports),
		Provisioning: ProvisioningToProto(v.Provisioning), Mtu: uint32(v.MTU), Description: v.Description, CreateTime: timeToProto(v.CreateTime),
	}
}

// SwitchFromProto reads what is stored of a switch.
func SwitchFromProto(m *apiv1.Switch) (netmodel.Switch, error) {
	var f fields
	v := netmodel.Switch{
		ID: m.GetId(), Role: switchRoles.fromProto[m.GetRole()], Rack: m.GetRack(), Loopback: f.addr("loopback", m.GetLoopback()), ASN: netmodel.ASN(m.GetAsn()),
		Ports: SwitchPortsFromProto(m.GetPorts()), Provisioning: f.provisioning(m.GetProvisioning()), MTU: int(m.GetMtu()), Description: m.GetDescription(),
		CreateTime: timeFromProto(m.GetCreateTime()),
	}
	return v, f.err("Switch")
}

// AttachmentsFromProto reads the networks of an allocation.
func AttachmentsFromProto(in []*apiv1.Attachment) ([]netmodel.Attachment, error) {
	var f fields
	out := f.attachments(in)
	return out, f.err("Attachment")
}

func (f *fields) attachments(in []*apiv1.Attachment) []netmodel.Attachment {
	var out []netmodel.Attachment
	for _, a := range in {
		out = append(out, netmodel.Attachment{
			Network: a.GetNetwork(), Addresses: f.addrs("attachments.addresses", a.GetAddresses()),
			ServiceAddresses: f.addrs("attachments.service_addresses", a.GetServiceAddresses()),
		})
	}
	return out
}

// AllocationToProto converts an allocation; its receipt is joined by the reader.
func AllocationToProto(v netmodel.Allocation) *apiv1.Allocation {
	m := &apiv1.Allocation{
		Id: v.ID, Project: v.Project, Machine: v.Machine, Rack: v.Rack, Hostname: v.Hostname, Description: v.Description, Asn: uint32(v.ASN),
		Generation: v.Generation, CreateTime: timeToProto(v.CreateTime),
	}
	for _, a := range v.Attachments {
		m.Attachments = append(m.Attachments, &apiv1.Attachment{Network: a.Network, Addresses: stringsOf(a.Addresses), ServiceAddresses: stringsOf(a.ServiceAddresses)})
	}
	for _, p := range v.Ports {
		m.Ports = append(m.Ports, &apiv1.AllocationPort{Switch: p.Switch, Port: p.Port, MachinePort: p.MachinePort, Mac: p.MAC, Generation: p.Generation})
	}
	return m
}

// AllocationFromProto reads an allocation.
func AllocationFromProto(m *apiv1.Allocation) (netmodel.Allocation, error) {
	var f fields
	v := netmodel.Allocation{
		ID: m.GetId(), Project: m.GetProject(), Machine: m.GetMachine(), Rack: m.GetRack(), Hostname: m.GetHostname(), Description: m.GetDescription(),
		ASN: netmodel.ASN(m.GetAsn()), Generation: m.GetGeneration(), CreateTime: timeFromProto(m.GetCreateTime()), Attachments: f.attachments(m.GetAttachments()),
	}
	for _, p := range m.GetPorts() {
		v.Ports = append(v.Ports, netmodel.AllocationPort{Switch: p.GetSwitch(), Port: p.GetPort(), MachinePort: p.GetMachinePort(), MAC: p.GetMac(), Generation: p.GetGeneration()})
	}
	return v, f.err("Allocation")
}

// ReceiptToProto converts a receipt. elapsed_ms counts from its first stamp.
func ReceiptToProto(v netmodel.Receipt) *apiv1.Receipt {
	m := &apiv1.Receipt{
		Allocation: v.Allocation, Project: v.Project, Generation: v.Generation, Machine: v.Machine, Degraded: v.Degraded, MissingSwitches: v.MissingSwitches,
	}
	for _, s := range v.Stamps {
		stamp := &apiv1.PhaseStamp{Phase: phases.toProto[s.Phase], Time: timeToProto(s.Time), ElapsedMs: s.Time.Sub(v.Stamps[0].Time).Seconds() * 1000}
		for _, a := range s.Agents {
			stamp.Agents = append(stamp.Agents, &apiv1.AgentTime{Switch: a.Switch, Time: timeToProto(a.Time)})
		}
		m.Phases = append(m.Phases, stamp)
	}
	return m
}

// ReceiptFromProto reads a receipt.
func ReceiptFromProto(m *apiv1.Receipt) (netmodel.Receipt, error) {
	v := netmodel.Receipt{
		Allocation: m.GetAllocation(), Project: m.GetProject(), Generation: m.GetGeneration(), Machine: m.GetMachine(), Degraded: m.GetDegraded(),
		MissingSwitches: m.GetMissingSwitches(),
	}
	for _, s := range m.GetPhases() {
		stamp := netmodel.PhaseStamp{Phase: phases.fromProto[s.GetPhase()], Time: timeFromProto(s.GetTime())}
		for _, a := range s.GetAgents() {
			stamp.Agents = append(stamp.Agents, netmodel.AgentTime{Switch: a.GetSwitch(), Time: timeFromProto(a.GetTime())})
		}
		v.Stamps = append(v.Stamps, stamp)
	}
	return v, nil
}

// Codecs of the resources.
var (
	NetworkCodec    = NewCodec[netmodel.Network, apiv1.Network](NetworkToProto, NetworkFromProto)
	IPCodec         = NewCodec[netmodel.IP, apiv1.IP](IPToProto, IPFromProto)
	MachineCodec    = NewCodec[netmodel.Machine, apiv1.Machine](MachineToProto, MachineFromProto)
	SwitchCodec     = NewCodec[netmodel.Switch, apiv1.Switch](SwitchToProto, SwitchFromProto)
	AllocationCodec = NewCodec[netmodel.Allocation, apiv1.Allocation](AllocationToProto, AllocationFromProto)
	ReceiptCodec    = NewCodec[netmodel.Receipt, apiv1.Receipt](ReceiptToProto, ReceiptFromProto)
)

// PendingReleasesCodec is the stored form of the answer to a release.
var PendingReleasesCodec = NewCodec[[]netmodel.PendingRelease, apiv1.DeleteAllocationResponse](
	func(v []netmodel.PendingRelease) *apiv1.DeleteAllocationResponse {
		return &apiv1.DeleteAllocationResponse{PendingRelease: PendingReleaseToProto(v)}
	},
	func(m *apiv1.DeleteAllocationResponse) ([]netmodel.PendingRelease, error) {
		var out []netmodel.PendingRelease
		for _, p := range m.GetPendingRelease() {
			out = append(out, netmodel.PendingRelease{Switch: p.GetSwitch(), Port: p.GetPort(), Generation: p.GetGeneration()})
		}
		return out, nil
	})
