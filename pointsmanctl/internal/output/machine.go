package output

import (
	"cmp"
	"fmt"
	"strings"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

func (p Printer) machineColumns() []column[*apiv1.Machine] {
	type machine = *apiv1.Machine
	return []column[machine]{
		{"ID", false, MachineName},
		{"RACK", false, func(m machine) string { return text(m.GetRack()) }},
		{"STATE", false, func(m machine) string { return Word(m.GetState()) }},
		{"ALLOCATION", false, func(m machine) string { return text(m.GetAllocation()) }},
		{"CABLES", false, cables},
		{"WHY NOT FREE", false, faults},
		{"PROJECT", true, func(m machine) string { return text(m.GetProject()) }},
		{"SYSTEM UUID", true, func(m machine) string { return text(m.GetSystemUuid()) }},
		{"CHASSIS MAC", true, func(m machine) string { return text(m.GetChassisMac()) }},
		{"PORT MACS", true, func(m machine) string { return joined(m.GetPortMacs()) }},
		{"AGE", true, func(m machine) string { return age(p.Now, m.GetCreateTime()) }},
		{"LABELS", true, func(m machine) string { return labelled(m.GetLabels()) }},
		{"DESCRIPTION", true, func(m machine) string { return text(m.GetDescription()) }},
	}
}

// Machines writes a list of machines.
func (p Printer) Machines(r *apiv1.ListMachinesResponse) error {
	return list(p, r, r.GetMachines(), p.machineColumns())
}

// Machine writes one machine.
func (p Printer) Machine(m *apiv1.Machine) error { return get(p, m, p.machineColumns()) }

// MachineName is a machine's id; one that is only discovered has none yet, and goes by an identity.
func MachineName(m *apiv1.Machine) string {
	return cmp.Or(m.GetId(), m.GetChassisMac(), m.GetSystemUuid(), none)
}

func cables(m *apiv1.Machine) string {
	var out []string
	for _, c := range m.GetConnections() {
		out = append(out, c.GetSwitch()+":"+c.GetPort())
	}
	return joined(out)
}

// faults are what keeps a machine from being allocated, the leaves that still have to prove a release among it.
func faults(m *apiv1.Machine) string {
	out := append([]string(nil), m.GetFaults()...)
	if len(out) == 0 {
		for _, r := range m.GetPendingRelease() {
			out = append(out, Pending(r))
		}
	}
	return text(strings.Join(out, "; "))
}

// Pending says what a port still has to prove.
func Pending(r *apiv1.PendingRelease) string {
	return fmt.Sprintf("%s:%s has to prove generation %d", r.GetSwitch(), r.GetPort(), r.GetGeneration())
}
