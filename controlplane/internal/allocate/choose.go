package allocate

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// namedReasons bounds how many machines an error names.
const namedReasons = 8

// choose picks a machine: the given one, or one of a rack with the fewest machines of this project in this network, at random
// among equals, so that replicas rarely choose the same.
func choose(d *store.Data, r Request) (netmodel.MachineView, error) {
	if r.Machine != "" {
		return given(d, r)
	}
	racks := d.Index.FreeRacks()
	if r.Rack != "" {
		racks = slices.DeleteFunc(racks, func(rack string) bool { return rack != r.Rack })
	}
	if len(racks) == 0 {
		return netmodel.MachineView{}, store.Refuse(store.Exhausted, "no machine is free%s: %s", where(r.Rack), reasons(unavailable(d, r.Rack)))
	}
	m, _ := d.Index.One(spread(d, racks, r))
	return m, nil
}

// unavailable says why each machine of a rack, or of any, is not taken.
func unavailable(d *store.Data, rack string) map[string][]string {
	why := map[string][]string{}
	for _, m := range d.Index.Machines() {
		switch {
		case rack != "" && m.Rack != rack:
		case m.ID == "":
			why["not adopted"] = append(why["not adopted"], m.SystemName)
		case m.State == netmodel.MachineAllocated:
			why["allocated"] = append(why["allocated"], m.ID)
		default:
			reason := strings.Join(m.Faults, "; ")
			why[reason] = append(why[reason], m.ID)
		}
	}
	return why
}

func where(rack string) string {
	if rack == "" {
		return ""
	}
	return fmt.Sprintf(" in rack %q", rack)
}

// given checks a machine that was asked for by name.
func given(d *store.Data, r Request) (netmodel.MachineView, error) {
	m, ok := d.Index.One(r.Machine)
	switch {
	case !ok:
		return m, store.Refuse(store.NotFound, "machine: there is no machine %q; pointsmanctl machine list shows them", r.Machine)
	case r.Rack != "" && m.Rack != r.Rack:
		return m, store.Refuse(store.Precondition, "machine: %q is in rack %q, not in %q", r.Machine, m.Rack, r.Rack)
	case m.State == netmodel.MachineAllocated:
		return m, store.Refuse(store.Precondition, "machine: %q is allocated already", r.Machine)
	case m.State == netmodel.MachineFaulty:
		return m, store.Refuse(store.Precondition, "machine: %q is faulty: %s; put that right, and it is free again by itself, or ask for another: pointsmanctl machine list shows which are free",
			r.Machine, strings.Join(m.Faults, "; "))
	case m.State != netmodel.MachineFree:
		return m, store.Refuse(store.Precondition, "machine: %q is %s: %s", r.Machine, m.State, strings.Join(m.Faults, "; "))
	}
	return m, nil
}

// spread picks at random among the free machines of the racks that have the fewest machines of this project in this network.
func spread(d *store.Data, racks []string, r Request) string {
	count := func(rack string) int {
		return d.Crowds[store.Crowd{Project: r.Project, Network: r.Attachments[0].Network, Rack: rack}]
	}
	lowest, free := count(racks[0]), 0
	for _, rack := range racks {
		lowest = min(lowest, count(rack))
	}
	racks = slices.DeleteFunc(racks, func(rack string) bool { return count(rack) > lowest })
	for _, rack := range racks {
		free += len(d.Index.FreeIn(rack))
	}
	n := rand.IntN(free)
	for _, rack := range racks {
		in := d.Index.FreeIn(rack)
		if n < len(in) {
			return in[n]
		}
		n -= len(in)
	}
	return "" // not reached: n is less than what all have
}

// reasons says why machines were not taken: a count for each reason, and some names.
func reasons(why map[string][]string) string {
	if len(why) == 0 {
		return "there are none"
	}
	var out []string
	for _, reason := range slices.Sorted(maps.Keys(why)) {
		names := why[reason]
		shown := names[:min(len(names), namedReasons)]
		more := ""
		if len(names) > len(shown) {
			more = ", …"
		}
		out = append(out, fmt.Sprintf("%d %s (%s%s)", len(names), reason, strings.Join(shown, ", "), more))
	}
	return strings.Join(out, "; ")
}
