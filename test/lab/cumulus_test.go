package lab

import (
	"path/filepath"
	"strings"
	"testing"
)

// A leaf that runs Cumulus Linux says so itself, and nobody tells its agent.
func TestCumulusNode(t *testing.T) {
	topology, err := Load("topologies/cumulus.yaml")
	must(t, err)
	spec, err := specFor(topology, "/bin", []int{2379})
	must(t, err)
	for _, n := range spec.Nodes {
		_, is := n.Files["/etc/lsb-release"]
		if leaf := strings.HasPrefix(n.Name, "leaf"); is != leaf {
			t.Errorf("%s says that it runs Cumulus Linux: %v", n.Name, is)
		}
		if !is {
			continue
		}
		if text := n.Files["/etc/network/interfaces"]; !strings.Contains(text, "iface eth0\n    address "+n.Management.String()+"\n    vrf mgmt\n") {
			t.Errorf("%s: management is not as the lab has it:\n%s", n.Name, text)
		}
		if text := n.Files["/etc/pointsman/agent.yaml"]; strings.Contains(text, "network-os") {
			t.Errorf("%s: its agent is told what it runs:\n%s", n.Name, text)
		}
	}
}

func TestTopologies(t *testing.T) {
	files, err := filepath.Glob("topologies/*.yaml")
	must(t, err)
	if len(files) == 0 {
		t.Fatal("there are none")
	}
	for _, file := range files {
		if _, err := Load(file); err != nil {
			t.Error(err)
		}
	}
}
