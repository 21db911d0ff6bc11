package allocate

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/pointsman/pointsman/controlplane/internal/discover"
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
	var free []netmodel.MachineView
	why := map[string][]string{}
	for _, m := range discover.Machines(d.Fabric()) {
		switch {
		case r.Rack != "" && m.Rack != r.Rack:
		case m.State == netmodel.MachineFree:
			free = append(free, m)
		case m.ID == "":
			why["not adopted"] = append(why["not adopted"], m.SystemName)
		case m.State == netmodel.MachineAllocated:
			why["allocated"] = append(why["allocated"], m.ID)
		default:
			reason := strings.Join(m.Faults, "; ")
			why[reason] = append(why[reason], m.ID)
		}
	}
	if len(free) == 0 {
		return netmodel.MachineView{}, store.Refuse(store.Exhausted, "no machine is free%s: %s", where(r.Rack), reasons(why))
	}
	return spread(free, inRacks(d, r)), nil
}

func where(rack string) string {
	if rack == "" {
		return ""
	}
	return fmt.Sprintf(" in rack %q", rack)
}

// given checks a machine that was asked for by name.
func given(d *store.Data, r Request) (netmodel.MachineView, error) {
	m, ok := discover.One(d.Fabric(), r.Machine)
	switch {
	case !ok:
		return m, store.Refuse(store.NotFound, "machine: there is no machine %q; pointsmanctl machine list shows them", r.Machine)
	case r.Rack != "" && m.Rack != r.Rack:
		return m, store.Refuse(store.Precondition, "machine: %q is in rack %q, not in %q", r.Machine, m.Rack, r.Rack)
	case m.State == netmodel.MachineAllocated:
		return m, store.Refuse(store.Precondition, "machine: %q is allocated already", r.Machine)
	case m.State != netmodel.MachineFree:
		return m, store.Refuse(store.Precondition, "machine: %q is %s: %s", r.Machine, m.State, strings.Join(m.Faults, "; "))
	}
	return m, nil
}

// inRacks counts a project's machines in a network by rack.
func inRacks(d *store.Data, r Request) map[string]int {
	out := map[string]int{}
	for _, o := range d.Allocations {
		if o.Value.Project == r.Project && o.Value.Attachments[0].Network == r.Attachments[0].Network {
			out[o.Value.Rack]++
		}
	}
	return out
}

// spread picks at random among the machines of the racks with the lowest count.
func spread(free []netmodel.MachineView, count map[string]int) netmodel.MachineView {
	lowest := count[free[0].Rack]
	for _, m := range free {
		lowest = min(lowest, count[m.Rack])
	}
	best := slices.DeleteFunc(free, func(m netmodel.MachineView) bool { return count[m.Rack] > lowest })
	return best[rand.IntN(len(best))]
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
