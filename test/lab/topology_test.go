package lab

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseNamesTheField(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []string // in the error
	}{
		"empty":           {"", []string{"the file is empty"}},
		"BFD interval":    {"spines: 1\nracks: [{leaves: 1}]\nbfd-interval: 1ms", []string{"bfd-interval", "10ms"}},
		"unknown field":   {"spines: 1\nracks: [{leaves: 1, machine: 3}]", []string{"machine", "not found"}},
		"no spine":        {"spines: 0\nracks: [{leaves: 1}]", []string{"spines: 0"}},
		"no racks":        {"spines: 1", []string{"racks: at least one"}},
		"two faults":      {"spines: 1\nracks: [{leaves: 1}, {leaves: 0, machines: -1}]", []string{"racks[1].leaves: 0", "racks[1].machines: -1"}},
		"not a number":    {"spines: many\nracks: [{leaves: 1}]", []string{"line 1", "many"}},
		"too many":        {"spines: 200\nracks: [{leaves: 41}]", []string{"racks: 200 spines and 41 leaves", "240 switches"}},
		"name":            {"name: A b\nspines: 1\nracks: [{leaves: 1}]", []string{`name: "A b"`}},
		"service node":    {"spines: 1\nracks: [{leaves: 1}]\nservices: {leaf09: [{name: x, command: [x]}]}", []string{"services.leaf09"}},
		"service command": {"spines: 1\nracks: [{leaves: 1}]\nservices: {leaf01: [{name: x}]}", []string{"services.leaf01[0].command"}},
		"machine node":    {"spines: 1\nracks: [{leaves: 1}]\nmachines: {machine01: {speaker: bird}}", []string{"machines.machine01", "no such machine"}},
		"machine speaker": {"spines: 1\nracks: [{leaves: 1, machines: 1}]\nmachines: {machine01: {speaker: quagga}}", []string{"machines.machine01.speaker", "bird"}},
		"machine lldp":    {"spines: 1\nracks: [{leaves: 1, machines: 1}]\nmachines: {machine01: {lldp: lldpd}}", []string{"machines.machine01.lldp"}},
		"border":          {"spines: 1\nracks: [{leaves: 1}]\nborder: {leaves: -1}", []string{"border.leaves: -1"}},
		"os word":         {"spines: 1\nracks: [{leaves: 1, os: ios}]", []string{"racks[0].os", "ios", "linux sonic"}},
		"os of each":      {"spines: 1\nracks: [{leaves: 3, os: [sonic, linux]}]", []string{"racks[0].os: 2 for 3 leaves"}},
		"two documents":   {"spines: 1\nracks: [{leaves: 1}]\n---\nspines: 2\n", []string{"more than one document"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(tc.text))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not name %q", err, want)
				}
			}
		})
	}
}

func TestTopologiesLoad(t *testing.T) {
	files, err := filepath.Glob("topologies/*.yaml")
	must(t, err)
	for _, file := range files {
		if _, err := Load(file); err != nil {
			t.Error(err)
		}
	}
}

// linuxFabric has the default fabric's shape, and leaves that run plain Linux.
func linuxFabric(t *testing.T) *Topology {
	t.Helper()
	topology, err := Load("topologies/linux.yaml")
	must(t, err)
	return topology
}

func TestDefaultTopology(t *testing.T) {
	inv := Default().Inventory()
	if len(inv.Switches) != 6 || len(inv.Machines) != 6 {
		t.Fatalf("%d switches and %d machines, want 6 and 6", len(inv.Switches), len(inv.Machines))
	}
	want := Machine{
		Name: "machine04", Rack: "rack02", SystemUUID: "6fb89125-47d5-5458-a150-af9079353cbe",
		Uplinks: []Uplink{
			{Name: "lan0", MAC: net.HardwareAddr{2, 3, 0, 4, 0, 1}, Peer: Endpoint{"leaf03", "Ethernet0"}},
			{Name: "lan1", MAC: net.HardwareAddr{2, 3, 0, 4, 0, 2}, Peer: Endpoint{"leaf04", "swp1"}},
		},
	}
	if diff := cmp.Diff(want, inv.Machines[3]); diff != "" {
		t.Error(diff)
	}
	runs := map[string]OS{}
	for _, s := range inv.Switches {
		runs[s.Name] = s.OS
	}
	if diff := cmp.Diff(map[string]OS{"spine01": Linux, "spine02": Linux, "leaf01": SONiC, "leaf02": Cumulus, "leaf03": SONiC, "leaf04": Cumulus}, runs); diff != "" {
		t.Error(diff)
	}
}

// Whatever its size, a fabric's cables have two ends that name each other, and no address, MAC or ASN of a leaf is used twice.
func TestInventoryIsConsistent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topology := &Topology{Name: "x", Spines: rapid.IntRange(1, 6).Draw(t, "spines")}
		for range rapid.IntRange(1, 6).Draw(t, "racks") {
			topology.Racks = append(topology.Racks, Rack{
				Leaves: rapid.IntRange(1, 4).Draw(t, "leaves"), Machines: rapid.IntRange(0, 60).Draw(t, "machines"), SparePorts: rapid.IntRange(0, 3).Draw(t, "spare"),
				OS: rapid.SampledFrom([]OSList{nil, {SONiC}, {Linux}}).Draw(t, "os"),
			})
		}
		topology.Border.Leaves = rapid.IntRange(0, 2).Draw(t, "borders")
		if err := topology.validate(); err != nil {
			t.Fatal(err)
		}
		inv := topology.Inventory()
		peers := map[Endpoint]Endpoint{}
		unique := map[string]string{}
		once := func(kind string, value any, owner string) {
			key := fmt.Sprint(kind, " ", value)
			if other, ok := unique[key]; ok {
				t.Fatalf("%s belongs to %s and %s", key, other, owner)
			}
			unique[key] = owner
		}
		for _, s := range inv.Switches {
			once("loopback", s.Loopback, s.Name)
			once("management", s.Management, s.Name)
			if s.Role != RoleSpine {
				once("ASN", s.ASN, s.Name)
			}
			for _, p := range s.Ports {
				once("port", Endpoint{s.Name, p.Name}, s.Name)
				once("MAC", p.MAC, s.Name+p.Name)
				peers[Endpoint{s.Name, p.Name}] = p.Peer
			}
		}
		for _, m := range inv.Machines {
			once("UUID", m.SystemUUID, m.Name)
			for _, u := range m.Uplinks {
				once("MAC", u.MAC, m.Name+u.Name)
				peers[Endpoint{m.Name, u.Name}] = u.Peer
			}
		}
		for _, o := range inv.Outside {
			for _, p := range o.Ports {
				once("MAC", p.MAC, o.Name+p.Name)
				peers[Endpoint{o.Name, p.Name}] = p.Peer
			}
		}
		for end, peer := range peers {
			if peer != (Endpoint{}) && peers[peer] != end {
				t.Fatalf("%v is cabled to %v, which is cabled to %v", end, peer, peers[peer])
			}
		}
	})
}

// Ports are called as their leaf's OS calls them, at both ends of their cables.
func TestPortsByOS(t *testing.T) {
	topology, err := Parse([]byte("spines: 1\nracks: [{leaves: 2, machines: 2, os: [sonic, linux]}]"))
	must(t, err)
	inv := topology.Inventory()
	names := map[string][]string{}
	for _, s := range inv.Switches {
		for _, p := range s.Ports {
			names[s.Name] = append(names[s.Name], p.Name)
		}
	}
	want := map[string][]string{"spine01": {"swp1", "swp2"}, "leaf01": {"Ethernet0", "Ethernet4", "Ethernet192"}, "leaf02": {"swp1", "swp2", "swp49"}}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if got := inv.Machines[1].Uplinks[0].Peer.String(); got != "leaf01:Ethernet4" {
		t.Errorf("machine02 is cabled to %s", got)
	}
	if got := inv.Switches[0].Ports[0].Peer.String(); got != "leaf01:Ethernet192" {
		t.Errorf("spine01 is cabled to %s", got)
	}
}

func TestSpecWritesTheAgentsConfiguration(t *testing.T) {
	spec, err := specFor(linuxFabric(t), "/bin", []int{2379, 2380})
	must(t, err)
	files := map[string]map[string]string{}
	for _, n := range spec.Nodes {
		files[n.Name] = n.Files
	}
	agent := `switch: leaf01
etcd:
    endpoints:
        - http://192.0.2.254:2379
        - http://192.0.2.254:2380
    bind-device: mgmt
state-dir: /var/lib/pointsman
lldp-send: true
insecure: true
frr:
    bfd-interval: 1s
`
	if diff := cmp.Diff(agent, files["leaf01"]["/etc/pointsman/agent.yaml"]); diff != "" {
		t.Error(diff)
	}
	host := `machine-file: /etc/pointsman/machine.json
system-uuid: 5aad1aa0-7888-5998-a623-61e36c82e53f
uplinks:
    - lan0
    - lan1
`
	if diff := cmp.Diff(host, files["machine01"]["/etc/pointsman/host.yaml"]); diff != "" {
		t.Error(diff)
	}
}

// TestBorderTopology: the outside is no switch and no machine, and is cabled to the border's external port.
func TestBorderTopology(t *testing.T) {
	topology, err := Load("topologies/border.yaml")
	must(t, err)
	inv := topology.Inventory()
	border := inv.Switches[len(inv.Switches)-1]
	if border.Name != "border01" || border.Role != RoleBorder || border.Ports[0].Role != RoleExternal || border.Ports[0].Peer != (Endpoint{"outside01", "lan0"}) {
		t.Errorf("the last switch is %+v", border)
	}
	spec, err := specFor(topology, "/bin", []int{2379})
	must(t, err)
	outside := spec.Nodes[len(spec.Nodes)-1]
	if outside.Name != "outside01" || outside.Switch || !strings.Contains(outside.Files["/etc/frr/frr.conf"], "neighbor lan0 default-originate") {
		t.Errorf("the last node is %+v", outside)
	}
}

// TestSwitchesMayRunAnotherFRR: by name, in a version that there is.
func TestSwitchesMayRunAnotherFRR(t *testing.T) {
	const racks = "spines: 1\nracks: [{leaves: 2, machines: 1}]\n"
	topology, err := Parse([]byte(racks + "frr: {leaf02: \"10.3\"}\n"))
	must(t, err)
	spec, err := specFor(topology, "", nil)
	must(t, err)
	for _, n := range spec.Nodes {
		var daemons []string
		for _, s := range n.Services {
			daemons = append(daemons, s.Name)
		}
		want := map[string][]string{"spine01": {"zebra", "bgpd", "staticd", "bfdd"}, "leaf02": {"mgmtd", "zebra", "bgpd", "staticd", "bfdd"}}
		if w, ok := want[n.Name]; ok {
			if diff := cmp.Diff(w, daemons); diff != "" {
				t.Errorf("%s: %s", n.Name, diff)
			}
		}
		if (n.FRR == "10.3") != (n.Name == "leaf02") {
			t.Errorf("%s runs FRR %q", n.Name, n.FRR)
		}
	}
	for text, field := range map[string]string{
		"frr: {leaf03: \"10.3\"}": "frr.leaf03", "frr: {machine01: \"10.3\"}": "frr.machine01", "frr: {leaf01: \"7.5\"}": "frr.leaf01",
	} {
		if _, err := Parse([]byte(racks + text + "\n")); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
