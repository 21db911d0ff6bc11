package demo

import (
	"testing"

	"github.com/pointsman/pointsman/test/lab"
)

func TestDescribe(t *testing.T) {
	for name, want := range map[string]string{
		"linux":   "2 spines, 4 leaves and 6 machines in 2 racks, each cabled to all leaves of its rack; leaves run Linux",
		"cumulus": "2 spines, 4 leaves and 6 machines in 2 racks, each cabled to all leaves of its rack; leaves run Cumulus Linux (without switchd)",
		"sonic":   "2 spines, 4 leaves and 6 machines in 2 racks, each cabled to all leaves of its rack; leaves run SONiC (with a stand-in for swss and syncd)",
		"mixed": "2 spines, 4 leaves and 6 machines in 2 racks, each cabled to all leaves of its rack; leaves run " +
			"SONiC (with a stand-in for swss and syncd) on leaf01, leaf03 and Cumulus Linux (without switchd) on leaf02, leaf04",
	} {
		topology, err := lab.Load("../lab/topologies/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if got := describe(topology); got != want {
			t.Errorf("%s: %s\nwant %s", name, got, want)
		}
	}
}
