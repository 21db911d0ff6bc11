package lab

import (
	"strings"
	"testing"
)

// TestCable names cables by an end or by both nodes, and says what there is where a name fits nothing.
func TestCable(t *testing.T) {
	topology := linuxFabric(t)
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

// TestSeats: the far end of every leaf port has its place, with the MAC address of the port that it is; nothing is a place too.
func TestSeats(t *testing.T) {
	topology, err := Parse([]byte("spines: 1\nracks: [{leaves: 1, machines: 1, spare-ports: 1}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := specFor(topology, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := seats(spec)
	inv := topology.Inventory()
	for near, want := range map[Endpoint]seat{
		{"leaf01", "swp1"}:  {Endpoint{"machine01", "lan0"}, inv.Machines[0].Uplinks[0].MAC},
		{"leaf01", "swp2"}:  {Endpoint{"", spareName(1)}, nil},
		{"leaf01", "swp49"}: {Endpoint{"spine01", "swp1"}, inv.Switches[0].Ports[0].MAC},
	} {
		if s := got[near]; s.Endpoint != want.Endpoint || s.mac.String() != want.mac.String() {
			t.Errorf("%s: %v, want %v", near, s, want)
		}
	}
	if len(got) != 3 {
		t.Errorf("%d far ends: %v", len(got), got)
	}
}
