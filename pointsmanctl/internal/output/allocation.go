package output

import (
	"fmt"
	"slices"
	"strings"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

func (p Printer) allocationColumns() []column[*apiv1.Allocation] {
	type allocation = *apiv1.Allocation
	return []column[allocation]{
		{"ID", false, allocation.GetId},
		{"MACHINE", false, func(a allocation) string { return text(a.GetMachine()) }},
		{"RACK", false, func(a allocation) string { return text(a.GetRack()) }},
		{"NETWORK", false, networks},
		{"ADDRESSES", false, addresses},
		{"PHASE", false, phase},
		{"AGE", false, func(a allocation) string { return age(p.Now, a.GetCreateTime()) }},
		{"PROJECT", true, func(a allocation) string { return text(a.GetProject()) }},
		{"ASN", true, func(a allocation) string { return number(a.GetAsn()) }},
		{"HOSTNAME", true, func(a allocation) string { return text(a.GetHostname()) }},
		{"GENERATION", true, func(a allocation) string { return number(a.GetGeneration()) }},
		{"PORTS", true, ports},
		{"SERVICE ADDRESSES", true, serviceAddresses},
		{"TOOK", true, took},
		{"WAITING FOR", true, waitingFor},
		{"DESCRIPTION", true, func(a allocation) string { return text(a.GetDescription()) }},
	}
}

// Allocations writes a list of allocations.
func (p Printer) Allocations(r *apiv1.ListAllocationsResponse) error {
	return list(p, r, r.GetAllocations(), p.allocationColumns())
}

// Allocation writes one allocation, and its receipt below.
func (p Printer) Allocation(a *apiv1.Allocation) error {
	columns := slices.DeleteFunc(p.allocationColumns(), func(c column[*apiv1.Allocation]) bool {
		return c.name == "TOOK" || c.name == "WAITING FOR" // the receipt says both
	})
	if err := get(p, a, columns); err != nil || p.Structured() || a.GetReceipt() == nil {
		return err
	}
	fmt.Fprintln(p.Out)
	return p.Receipt(a.GetReceipt())
}

func networks(a *apiv1.Allocation) string {
	var out []string
	for _, t := range a.GetAttachments() {
		out = append(out, t.GetNetwork())
	}
	return joined(out)
}

func addresses(a *apiv1.Allocation) string {
	var out []string
	for _, t := range a.GetAttachments() {
		out = append(out, t.GetAddresses()...)
	}
	return joined(out)
}

func serviceAddresses(a *apiv1.Allocation) string {
	var out []string
	for _, t := range a.GetAttachments() {
		out = append(out, t.GetServiceAddresses()...)
	}
	return joined(out)
}

func ports(a *apiv1.Allocation) string {
	var out []string
	for _, port := range a.GetPorts() {
		out = append(out, port.GetSwitch()+":"+port.GetPort())
	}
	return joined(out)
}

// phase is the last one reached, with a mark if switches were not waited for.
func phase(a *apiv1.Allocation) string {
	last := LastPhase(a.GetReceipt())
	if last == nil {
		return none
	}
	if a.GetReceipt().GetDegraded() {
		return Word(last.GetPhase()) + " (degraded)"
	}
	return Word(last.GetPhase())
}

func took(a *apiv1.Allocation) string {
	last := LastPhase(a.GetReceipt())
	if last == nil {
		return none
	}
	return milliseconds(last.GetElapsedMs())
}

func waitingFor(a *apiv1.Allocation) string {
	return text(strings.Join(a.GetReceipt().GetWaitingFor(), "; "))
}
