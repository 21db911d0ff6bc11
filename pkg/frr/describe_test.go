package frr

import (
	"fmt"
	"strings"
)

func replace(text, old, with string) string { return strings.ReplaceAll(text, old, with) }

var stageNames = map[Stage]string{
	StageNeighbourRemoval: "neighbour-removal", StageAddition: "addition", StageFilterRemoval: "filter-removal",
	StageInstanceRemoval: "instance-removal", StageVRFRemoval: "vrf-removal",
}

// describe shows changes with all that they carry.
func describe(changes []Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, fmt.Sprintf("%s %s %s: %s", stageNames[c.Stage], c.Port, c.VRF, c))
	}
	return out
}
