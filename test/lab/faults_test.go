package lab

import (
	"strings"
	"testing"
)

// TestCable names cables by an end or by both nodes, and says what there is where a name fits nothing.
func TestCable(t *testing.T) {
	topology := Default()
	uplink := [2]Endpoint{{"leaf01", "swp49"}, {"spine01", "swp1"}}
	machine := [2]Endpoint{{"leaf02", "swp1"}, {"machine01", "lan1"}}
	for name, want := range map[string][2]Endpoint{
		"leaf01:swp49": uplink, "spine01:swp1": uplink, "leaf01:spine01": uplink, "spine01:leaf01": uplink,
		"machine01:lan1": machine, "leaf02:machine01": machine, "leaf02:swp1": machine,
	} {
		got, err := topology.Cable(name)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
		}
	}
	for name, want := range map[string]string{
		"leaf01": "write NODE:PORT", "leaf99:swp1": `"leaf99"`, "leaf01:swp77": "swp49 to spine01", "leaf01:swp4": "swp1 to machine01", ":": `""`,
	} {
		if _, err := topology.Cable(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %s", name, err, want)
		}
	}
}
