package lab

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// The user-mode network between host and guest (RFC 5737's TEST-NET-1, so that a packet that strays means nothing anywhere).
// The guest has no default route.
const (
	managementSubnet = "192.0.2.0/24"
	gatewayAddress   = "192.0.2.1" // the host's end of the network itself
	guestAddress     = "192.0.2.2" // the guest's root namespace
	firstManagement  = 10
	// HostAddress stands for the host's loopback: a guest's program that connects to one of Options.HostPorts there
	// reaches 127.0.0.1 on the host.
	HostAddress = "192.0.2.254"

	gatewayMAC  = "02:00:00:00:00:01"
	eventsPort  = 1 // on the gateway: the guest reports here
	controlPort = 1 // on the guest: requests (proto.go)
)

const (
	fabricMTU     = 9216
	managementMTU = 1500
	mgmtTable     = 900
	mgmtVRF       = "mgmt"
)

// guestSpec is all that the guest needs to build the fabric.
type guestSpec struct {
	Nodes    []nodeSpec
	Cables   []cable
	Binaries string // the host's directory with the product's programs; may be empty
}

// nodeSpec is one node: a namespace with its own root.
type nodeSpec struct {
	Name       string
	Switch     bool
	FRR        string       // the version, if it is another than the lab's own
	Root       string       // the directory of the host that is the node's root; empty is the guest's
	Management netip.Prefix // switches only
	MAC        hardwareAddr // of eth0
	Files      map[string]string
	Links      map[string]string // symbolic links, by path
	Services   []Service
	ReadyLimit time.Duration // of each service
	Binaries   string
}

// cable joins two ports; the second end is zero for a port with nothing cabled to it.
type cable struct {
	Ends [2]Endpoint
	MACs [2]hardwareAddr
}

// hardwareAddr is a MAC address as text in JSON.
type hardwareAddr net.HardwareAddr

func (a hardwareAddr) MarshalText() ([]byte, error) {
	return []byte(net.HardwareAddr(a).String()), nil
}

func (a *hardwareAddr) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	mac, err := net.ParseMAC(string(text))
	*a = hardwareAddr(mac)
	return err
}

// specFor derives the guest's work from the topology: pure.
func specFor(t *Topology, binaries string, etcdPorts []int) (guestSpec, error) {
	spec := guestSpec{Binaries: binaries}
	inv := t.Inventory()
	for i, s := range inv.Switches {
		node, err := switchSpec(s, i, binaries != "", etcdPorts, t.BFDInterval, t.FRR[s.Name])
		if err != nil {
			return guestSpec{}, err
		}
		node.Services = append(node.Services, t.Services[s.Name]...)
		node.Binaries = binaries
		spec.Nodes = append(spec.Nodes, node)
	}
	for _, m := range inv.Machines {
		node, err := machineSpec(m, binaries != "")
		if err != nil {
			return guestSpec{}, err
		}
		node.Services = append(node.Services, t.Services[m.Name]...)
		node.Binaries = binaries
		spec.Nodes = append(spec.Nodes, node)
	}
	for _, o := range inv.Outside {
		node := outsideSpec(o)
		node.Services = append(node.Services, t.Services[o.Name]...)
		node.Binaries = binaries
		spec.Nodes = append(spec.Nodes, node)
	}
	for i := range spec.Nodes {
		spec.Nodes[i].ReadyLimit = readyLimit(len(spec.Nodes))
	}
	spec.Cables = cables(inv)
	return spec, nil
}

// readyLimit allows for all nodes starting their services at once on the guest's one CPU.
func readyLimit(nodes int) time.Duration { return 30*time.Second + time.Duration(nodes)*2*time.Second }

func switchSpec(s Switch, index int, agent bool, etcdPorts []int, bfdInterval time.Duration, frr string) (nodeSpec, error) {
	node := nodeSpec{
		Name: s.Name, Switch: true, Management: netip.PrefixFrom(s.Management, 24), MAC: hardwareAddr(portMAC(0, index, 0)),
		Files: map[string]string{}, FRR: frr,
	}
	switch s.OS {
	case SONiC:
		if err := makeSONiC(&node, s); err != nil {
			return nodeSpec{}, err
		}
	case Cumulus:
		makeCumulus(&node)
	}
	services := frrServices(frr)
	if agent {
		service, err := agentService(&node, s, etcdPorts, bfdInterval)
		if err != nil {
			return nodeSpec{}, err
		}
		if s.OS == Linux {
			services = append(services, service)
		} else { // what brings machines' ports up from a file of its own does so before FRR runs, and the agent comes in between
			service.Notify = true
			services = append([]Service{service}, services...)
		}
	}
	node.Services = append(node.Services, services...)
	return node, nil
}

// agentService is a switch's agent, whose configuration is among the node's files.
func agentService(node *nodeSpec, s Switch, etcdPorts []int, bfdInterval time.Duration) (Service, error) {
	endpoints := []string{}
	for _, port := range etcdPorts {
		endpoints = append(endpoints, fmt.Sprintf("http://%s:%d", HostAddress, port))
	}
	config, err := yaml.Marshal(agentConfig{
		Switch: s.Name, NetworkOS: s.OS.configured(), Etcd: etcdConfig{Endpoints: endpoints, BindDevice: mgmtVRF},
		StateDir: "/var/lib/pointsman", SendLLDP: true, Insecure: true, FRR: frrConfig{BFDInterval: bfdInterval.String()},
	})
	if err != nil {
		return Service{}, err
	}
	node.Files["/etc/pointsman/agent.yaml"] = string(config)
	return Service{Name: "agent", Command: []string{
		"env", "POINTSMAN_FAILPOINT=" + Failpoint, "pointsman-agent", "run", "--config", "/etc/pointsman/agent.yaml",
	}}, nil
}

// Failpoint is the file on a switch that tells its agent after how many steps of a change to kill itself.
const Failpoint = "/run/pointsman-failpoint"

// agentConfig is the agent's configuration file.
type agentConfig struct {
	Switch    string     `yaml:"switch"`
	NetworkOS OS         `yaml:"network-os,omitempty"`
	Etcd      etcdConfig `yaml:"etcd"`
	StateDir  string     `yaml:"state-dir"`
	SendLLDP  bool       `yaml:"lldp-send"`
	Insecure  bool       `yaml:"insecure"`
	FRR       frrConfig  `yaml:"frr"`
}

// frrConfig is the agent's section on FRR.
type frrConfig struct {
	BFDInterval string `yaml:"bfd-interval"`
}

type etcdConfig struct {
	Endpoints  []string `yaml:"endpoints"`
	BindDevice string   `yaml:"bind-device"`
}

// frrServices are FRR's daemons in the foreground, zebra first, kept as FRR's own watchfrr keeps them: a daemon that starts is given
// the saved configuration, if there is one, and when zebra ends, all others start anew after it, since bgpd tells a new zebra
// nothing of routes whose sessions have stayed. They come before all else on the guest's one processor, as FRR's unit of systemd asks
// (Nice=-5), and bfdd, which on a switch would have a processor when it needs one, before them.
//
// Other versions have mgmtd before all, which holds zebra's configuration and outlives it; mgmtd and staticd take no file.
func frrServices(version string) []Service {
	daemons := []string{"zebra", "bgpd", "staticd", "bfdd"}
	if version != "" {
		daemons = append([]string{"mgmtd"}, daemons...)
	}
	var services []Service
	for _, daemon := range daemons {
		boundTo := ""
		if daemon != "zebra" && daemon != "mgmtd" {
			boundTo = "zebra"
		}
		nice := "-5"
		if daemon == "bfdd" {
			nice = "-20"
		}
		command := []string{"nice", "-n", nice, "/usr/lib/frr/" + daemon, "-u", "frr", "-g", "frr", "-A", "127.0.0.1", "-P", "0",
			"--log", "file:/var/log/frr/" + daemon + ".log", "--log-level", "informational"}
		if version == "" || daemon != "mgmtd" && daemon != "staticd" {
			command = append(command, "-f", "/dev/null")
		}
		services = append(services, Service{
			Name: daemon, BoundTo: boundTo, Command: command,
			Ready:       "/run/frr/" + daemon + ".vty",
			Configure:   []string{"vtysh", "-b", "-d", daemon},
			ConfigureIf: "/etc/frr/frr.conf",
		})
	}
	return services
}

// cables lists each cable once, switches' spare ports included.
func cables(inv Inventory) []cable {
	macs := map[Endpoint]hardwareAddr{}
	for _, s := range inv.Switches {
		for _, p := range s.Ports {
			macs[Endpoint{s.Name, p.Name}] = hardwareAddr(p.MAC)
		}
	}
	for _, m := range inv.Machines {
		for _, u := range m.Uplinks {
			macs[Endpoint{m.Name, u.Name}] = hardwareAddr(u.MAC)
		}
	}
	for _, o := range inv.Outside {
		for _, p := range o.Ports {
			macs[Endpoint{o.Name, p.Name}] = hardwareAddr(p.MAC)
		}
	}
	var list []cable
	for _, s := range inv.Switches {
		if s.Role == RoleSpine {
			continue // every cable and every spare port ends at a leaf or a border
		}
		for _, p := range s.Ports {
			end := Endpoint{s.Name, p.Name}
			list = append(list, cable{Ends: [2]Endpoint{end, p.Peer}, MACs: [2]hardwareAddr{macs[end], macs[p.Peer]}})
		}
	}
	return slices.Clip(list)
}
