package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"

	"google.golang.org/protobuf/proto"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

var machineStates = newEnum(map[netmodel.MachineState]apiv1.MachineState{
	netmodel.MachineDiscovered: apiv1.MachineState_MACHINE_STATE_DISCOVERED,
	netmodel.MachineFree:       apiv1.MachineState_MACHINE_STATE_FREE,
	netmodel.MachineAllocated:  apiv1.MachineState_MACHINE_STATE_ALLOCATED,
	netmodel.MachineReleasing:  apiv1.MachineState_MACHINE_STATE_RELEASING,
	netmodel.MachineFaulty:     apiv1.MachineState_MACHINE_STATE_FAULTY,
})

// MachineStateFromProto returns the state, empty for unspecified.
func MachineStateFromProto(s apiv1.MachineState) netmodel.MachineState {
	return machineStates.fromProto[s]
}

// MachineViewToProto converts a machine with what is computed of it.
func MachineViewToProto(v netmodel.MachineView) *apiv1.Machine {
	m := MachineToProto(v.Machine)
	m.State, m.Faults = machineStates.toProto[v.State], v.Faults
	for _, c := range v.Connections {
		m.Connections = append(m.Connections, &apiv1.MachineConnection{Switch: c.Switch, Port: c.Port, MachinePort: c.MachinePort, Mac: c.MAC})
	}
	return m
}

// SwitchViewToProto converts a switch with what its agent says.
func SwitchViewToProto(v netmodel.SwitchView) *apiv1.Switch {
	m := SwitchToProto(v.Switch)
	m.Alive = v.Alive
	if v.Status != nil {
		m.Status = SwitchStatusToProto(*v.Status)
	}
	for _, p := range v.Views {
		m.PortViews = append(m.PortViews, portViewToProto(p))
	}
	return m
}

func portViewToProto(p netmodel.PortView) *apiv1.SwitchPortView {
	view := &apiv1.SwitchPortView{Name: p.Name, Role: portRoles.toProto[p.Role], Faults: p.Faults}
	if p.Intent != nil {
		view.Intent = PortIntentToProto(*p.Intent)
	}
	if p.Status != nil {
		view.Status = PortStatusToProto(*p.Status)
	}
	if p.Session != nil {
		view.Session = SessionStatusToProto(*p.Session)
	}
	if p.Discovery != nil {
		view.Discovery = DiscoveryToProto(*p.Discovery)
	}
	return view
}

// ReceiptViewToProto converts a receipt with what it waits for.
func ReceiptViewToProto(v netmodel.ReceiptView) *apiv1.Receipt {
	m := ReceiptToProto(v.Receipt)
	m.WaitingFor = v.WaitingFor
	return m
}

// AllocationViewToProto converts an allocation with its receipt.
func AllocationViewToProto(v netmodel.AllocationView) *apiv1.Allocation {
	m := AllocationToProto(v.Allocation)
	m.Receipt = ReceiptViewToProto(v.Receipt)
	return m
}

// MachineConfigToProto converts the file for the host speaker.
func MachineConfigToProto(v netmodel.MachineConfig) *apiv1.MachineConfig {
	m := &apiv1.MachineConfig{
		Machine: v.Machine, Allocation: v.Allocation, Project: v.Project, Hostname: v.Hostname, Asn: uint32(v.ASN), Mtu: uint32(v.MTU), Generation: v.Generation,
	}
	for _, a := range v.Attachment.Addresses {
		m.Addresses = append(m.Addresses, netip.PrefixFrom(a, a.BitLen()).String())
	}
	for _, u := range v.Uplinks {
		m.Uplinks = append(m.Uplinks, &apiv1.MachineUplink{Name: u.Name, Mac: u.MAC, Switch: u.Switch, Port: u.Port, SwitchAsn: uint32(u.SwitchASN)})
	}
	return m
}

// Hash is the SHA-256 of a message, by which a repeated request is told from another one under the same id.
func Hash(m proto.Message) (string, error) {
	b, err := Marshal(m)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
