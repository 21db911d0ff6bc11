package plan

import "strings"

// Saved is what a network OS itself starts with, as it was read: its own record of ports, VRFs, VLANs and VNIs, in its own form.
type Saved interface {
	// Lacks names what must be written for the record to say the same as a kernel, sorted; none if it does. It is pure.
	Lacks(Kernel) []string
}

// SaveKernel writes what the network OS starts with, and proves it where the OS can. What is there of others stays as it is.
type SaveKernel struct {
	Kernel Kernel
	// Changed names what differs.
	Changed []string
	For
}

func (o SaveKernel) String() string {
	return "save " + strings.Join(o.Changed, ", ") + " for the next start"
}

// saveKernel comes last: what moves is served first.
func saveKernel(observed, desired State) []Op {
	if observed.Saved == nil || !observed.Knows(PartSaved) {
		return nil
	}
	if changed := observed.Saved.Lacks(desired.Kernel); len(changed) > 0 {
		return []Op{SaveKernel{Kernel: desired.Kernel, Changed: changed}}
	}
	return nil
}
