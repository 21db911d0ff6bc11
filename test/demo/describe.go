package demo

import (
	"fmt"
	"strings"

	"github.com/pointsman/pointsman/test/lab"
)

// operatingSystems are in the order in which they are said, each with what of it is not the real thing in a lab.
var operatingSystems = []struct {
	os   lab.OS
	name string
}{
	{lab.Linux, "Linux"},
	{lab.SONiC, "SONiC (with a stand-in for swss and syncd)"},
	{lab.Cumulus, "Cumulus Linux (without switchd)"},
}

// describe says what a fabric consists of and what its leaves run.
func describe(t *lab.Topology) string {
	leaves, machines := 0, 0
	for _, rack := range t.Racks {
		leaves += rack.Leaves
		machines += rack.Machines
	}
	return fmt.Sprintf("%s, %s and %s in %s, each cabled to all leaves of its rack; leaves run %s",
		count(t.Spines, "spine"), count(leaves, "leaf"), count(machines, "machine"), count(len(t.Racks), "rack"), leavesRun(t.Inventory()))
}

func leavesRun(inventory lab.Inventory) string {
	names := map[lab.OS][]string{}
	for _, s := range inventory.Switches {
		if s.Role == lab.RoleLeaf {
			names[s.OS] = append(names[s.OS], s.Name)
		}
	}
	var parts []string
	for _, known := range operatingSystems {
		switch leaves := names[known.os]; {
		case len(leaves) == 0:
		case len(names) == 1:
			parts = append(parts, known.name)
		default:
			parts = append(parts, known.name+" on "+strings.Join(leaves, ", "))
		}
	}
	return strings.Join(parts, " and ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if what == "leaf" {
		what = "leave"
	}
	return fmt.Sprintf("%d %ss", n, what)
}
