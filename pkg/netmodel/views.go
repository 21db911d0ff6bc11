package netmodel

import "time"

// MachineState is computed on read.
type MachineState string

// States of machines.
const (
	// MachineDiscovered is seen, but not in the inventory.
	MachineDiscovered MachineState = "discovered"
	MachineFree       MachineState = "free"
	MachineAllocated  MachineState = "allocated"
	// MachineReleasing is released; a leaf has not yet proven that its port is back in provisioning.
	MachineReleasing MachineState = "releasing"
	// MachineFaulty is in nobody's hands and not allocatable; its faults say why.
	MachineFaulty MachineState = "faulty"
)

// Connection is a cable between a leaf and a machine.
type Connection struct {
	Switch      string
	Port        string
	MachinePort string
	MAC         string
}

// MachineView is a machine with what is computed of it. PendingRelease holds only the ports that have not proven it yet.
// Faults say, one line each, why it is not allocatable. ID is empty in the view of one that is only discovered.
type MachineView struct {
	Machine
	State       MachineState
	Connections []Connection
	Faults      []string
	SystemName  string
}

// PortView joins all that is known of a port; what is not known is nil. Faults say what is wrong with who is heard there.
type PortView struct {
	Name      string
	Role      PortRole
	Intent    *PortIntent
	Status    *PortStatus
	Session   *SessionStatus
	Discovery *Discovery
	Faults    []string
}

// SwitchView is a switch with what its agent says.
type SwitchView struct {
	Switch
	Alive  bool
	Status *SwitchStatus
	Views  []PortView
}

// ReceiptView is a receipt with what keeps its next phase away, one line each.
type ReceiptView struct {
	Receipt
	WaitingFor []string
}

// Last is the phase that was reached last, and when.
func (r Receipt) Last() (Phase, time.Time) {
	if len(r.Stamps) == 0 {
		return "", time.Time{}
	}
	s := r.Stamps[len(r.Stamps)-1]
	return s.Phase, s.Time
}

// AllocationView is an allocation with its receipt.
type AllocationView struct {
	Allocation
	Receipt ReceiptView
}

// MachineConfig is all that a machine must know of its network.
type MachineConfig struct {
	Machine    string
	Allocation string
	Project    string
	Hostname   string
	ASN        ASN
	Attachment Attachment
	Uplinks    []MachineUplink
	MTU        int
	Generation uint64
}

// MachineUplink is a machine's end of a cable, and the leaf at the other.
type MachineUplink struct {
	Name      string
	MAC       string
	Switch    string
	Port      string
	SwitchASN ASN
}
