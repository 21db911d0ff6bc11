package lab

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MachineKind says what a machine runs: our host agent by default, or what others run.
type MachineKind struct {
	// Speaker is pointsman, bird or frr. The last two are started by whoever installs the machine, with a configuration of theirs.
	Speaker string `yaml:"speaker,omitempty"`
	// LLDP is pointsman or lldpd.
	LLDP string `yaml:"lldp,omitempty"`
}

// What a machine may run.
const (
	Pointsman = "pointsman"
	BIRD      = "bird"
	FRR       = "frr"
	LLDPD     = "lldpd"
)

func (k MachineKind) validate(field string, bad func(field, format string, args ...any)) {
	k = k.defaults()
	for _, c := range []struct {
		name, value string
		known       []string
	}{{"speaker", k.Speaker, []string{Pointsman, BIRD, FRR}}, {"lldp", k.LLDP, []string{Pointsman, LLDPD}}} {
		if !slices.Contains(c.known, c.value) {
			bad(field+"."+c.name, "%q is none of %s", c.value, strings.Join(c.known, ", "))
		}
	}
	if k.Speaker == Pointsman && k.LLDP == LLDPD {
		bad(field+".lldp", "lldpd goes with the speakers bird and frr: our own speaker sends LLDP itself")
	}
}

func (k MachineKind) defaults() MachineKind {
	if k.Speaker == "" {
		k.Speaker = Pointsman
	}
	if k.LLDP == "" {
		k.LLDP = Pointsman
	}
	return k
}

// hostConfig is the configuration file of the agent on a machine.
type hostConfig struct {
	MachineFile string   `yaml:"machine-file"`
	SystemUUID  string   `yaml:"system-uuid"`
	Uplinks     []string `yaml:"uplinks"`
}

// machineSpec gives a machine its programs. Beside a foreign speaker our agent, where it runs, is there for LLDP only: nobody gives it a
// machine file.
func machineSpec(m Machine, agent bool) (nodeSpec, error) {
	node := nodeSpec{Name: m.Name, Files: map[string]string{}}
	if m.Kind.LLDP == LLDPD {
		// -d keeps it in the foreground; -I leaves out all but the uplinks. It says the machine's UUID, as a firmware would.
		node.Files["/etc/lldpd.d/machine.conf"] = fmt.Sprintf("configure system chassisid %s\nconfigure lldp portidsubtype macaddress\n", m.SystemUUID)
		node.Services = append(node.Services, Service{Name: LLDPD, Command: []string{"/usr/sbin/lldpd", "-d", "-I", "lan*"}})
		return node, nil
	}
	if !agent {
		return node, nil
	}
	config := hostConfig{MachineFile: "/etc/pointsman/machine.json", SystemUUID: m.SystemUUID}
	for _, u := range m.Uplinks {
		config.Uplinks = append(config.Uplinks, u.Name)
	}
	text, err := yaml.Marshal(config)
	if err != nil {
		return nodeSpec{}, err
	}
	node.Files["/etc/pointsman/host.yaml"] = string(text)
	node.Services = []Service{{Name: "host", Command: []string{"pointsman-agent", "host", "--config", "/etc/pointsman/host.yaml"}}}
	return node, nil
}
