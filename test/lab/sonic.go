package lab

import (
	"fmt"
	"net"

	"github.com/pointsman/pointsman/test/lab/swstate"
)

// makeSONiC gives a node what a SONiC switch has beside FRR and the agent: its files, Redis, and what stands in for swss and syncd. The programs
// are the lab's own, which is process 1 of each node, under another name.
func makeSONiC(node *nodeSpec, s Switch) error {
	d := swstate.Device{Hostname: s.Name, MAC: net.HardwareAddr(node.MAC).String()}
	for _, p := range s.Ports {
		d.Ports = append(d.Ports, swstate.Port{Name: p.Name, Alias: fmt.Sprintf("etp%d", p.Number), Index: p.Number, Lanes: 4})
	}
	files, err := d.Files()
	if err != nil {
		return err
	}
	for path, text := range files {
		node.Files[path] = text
	}
	node.Links = map[string]string{
		"/usr/bin/" + swstate.Program: "/proc/1/exe",
		"/etc/sonic/frr":              "/etc/frr",
	}
	node.Services = append(node.Services,
		Service{
			Name: "database", Command: []string{swstate.Program, "database"}, Ready: swstate.Socket,
			Configure: []string{swstate.Program, "load"}, ConfigureIf: swstate.ConfigFile,
		},
		Service{Name: "swss", Command: []string{swstate.Program, "run"}, BoundTo: "database"},
	)
	return nil
}

// configured is what the agent's configuration says of the OS: nothing for what it takes the switch for by itself.
func (os OS) configured() OS {
	if os == Linux || os == Cumulus {
		return ""
	}
	return os
}
