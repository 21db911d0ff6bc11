// Package lab owns the fabric lab: a topology, the guest in which its switches and machines run as namespaces with real
// FRR and the real agent, and the way in from the host.
//
// Up boots a fabric and returns it; Attach finds one that another process runs. In the guest the same program is process 1
// (guest.go) and each node's process 1 (node.go). The package drives the product's binaries and never imports them.
package lab

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed topology.yaml
var defaultTopology []byte

// Topology is the shape of a fabric: every leaf is cabled to every spine, every machine to every leaf of its rack.
type Topology struct {
	Name   string `yaml:"name"`
	Spines int    `yaml:"spines"`
	Racks  []Rack `yaml:"racks"`
	// Border is the fabric's way out; none by default.
	Border Border `yaml:"border,omitempty"`
	// BFDInterval is how often the switches send BFD packets and expect them; three lost ones end a session. By default it is slow: a
	// dozen nodes share the guest's one CPU, and a burst of work on one of them must not look like the death of another.
	BFDInterval time.Duration `yaml:"bfd-interval,omitempty"`
	// FRR is the version of the switches that run another than the lab's own, by name: "10.3".
	FRR map[string]string `yaml:"frr,omitempty"`
	// Machines are those that run other programs than ours, by name.
	Machines map[string]MachineKind `yaml:"machines,omitempty"`
	// Services are further programs to run in a node, by the node's name.
	Services map[string][]Service `yaml:"services,omitempty"`
}

// Rack is one rack: its leaves, and the machines that are cabled to each of them.
type Rack struct {
	Leaves     int `yaml:"leaves"`
	Machines   int `yaml:"machines"`
	SparePorts int `yaml:"spare-ports,omitempty"` // machine ports on each leaf with nothing cabled to them
	// OS is what the leaves run: one word for all, or a list with one for each.
	OS OSList `yaml:"os,omitempty"`
}

// Border is the leaves that are cabled to the outside instead of machines, one port each: a router of somebody else.
type Border struct {
	Leaves int `yaml:"leaves"`
}

// Service is a program that a node's init keeps running: it is started again a second after it ended.
type Service struct {
	Name    string   `yaml:"name"`
	Command []string `yaml:"command"`
	Env     []string `yaml:"env,omitempty"`
	// Ready is a file or socket whose appearance says that the service serves; empty is at once.
	Ready string `yaml:"ready,omitempty"`
	// Notify is for a service that says itself that it serves, as to systemd (sd_notify).
	Notify bool `yaml:"notify,omitempty"`
	// Once is for a program that runs at each boot and ends; what comes after it starts then.
	Once bool `yaml:"once,omitempty"`
	// Configure is run after each start once the service is ready, if the file ConfigureIf exists.
	Configure   []string `yaml:"configure,omitempty"`
	ConfigureIf string   `yaml:"configure-if,omitempty"`
	// BoundTo names a service of the node without which this one is of no use: it ends with that one and starts after it.
	BoundTo string `yaml:"bound-to,omitempty"`
}

// Default returns the lab's default fabric.
func Default() *Topology {
	t, err := Parse(defaultTopology)
	if err != nil {
		panic(err) // it is embedded, and a test parses it
	}
	return t
}

// Load reads a topology file; an empty path is the default fabric.
func Load(path string) (*Topology, error) {
	if path == "" {
		return Default(), nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read topology: %w", err)
	}
	t, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read topology %s: %w", path, err)
	}
	return t, nil
}

// Parse decodes and validates a topology. Unknown fields are errors.
func Parse(text []byte) (*Topology, error) {
	var t Topology
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&t); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the file is empty")
		}
		return nil, err
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("the file holds more than one document")
	}
	if t.Name == "" {
		t.Name = "pointsman"
	}
	if t.BFDInterval == 0 {
		t.BFDInterval = time.Second
	}
	if err := t.validate(); err != nil {
		return nil, err
	}
	return &t, nil
}

// Limits of a topology, from the numbers that are derived from it.
const (
	maxSwitches = 240 // management addresses 192.0.2.10 … 192.0.2.249
	maxPorts    = 500
)

var labelPattern = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`)

func (t *Topology) validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if !labelPattern.MatchString(t.Name) {
		bad("name", "%q is not a lower-case label", t.Name)
	}
	if t.Spines < 1 {
		bad("spines", "%d: at least one spine is needed", t.Spines)
	}
	if len(t.Racks) == 0 {
		bad("racks", "at least one rack is needed")
	}
	if t.BFDInterval != 0 && (t.BFDInterval < 10*time.Millisecond || t.BFDInterval > time.Minute) {
		bad("bfd-interval", "%s is not within 10ms and 1m", t.BFDInterval)
	}
	leaves := 0
	for i, rack := range t.Racks {
		field := fmt.Sprintf("racks[%d]", i)
		leaves += max(rack.Leaves, 0)
		if rack.Leaves < 1 {
			bad(field+".leaves", "%d: at least one leaf is needed", rack.Leaves)
		}
		if rack.Machines < 0 {
			bad(field+".machines", "%d is negative", rack.Machines)
		}
		if rack.SparePorts < 0 {
			bad(field+".spare-ports", "%d is negative", rack.SparePorts)
		}
		rack.OS.validate(field+".os", rack.Leaves, bad)
		if rack.Machines+rack.SparePorts > maxPorts {
			bad(field+".machines", "a leaf has %d machine ports at most, with spare-ports", maxPorts)
		}
	}
	if t.Border.Leaves < 0 {
		bad("border.leaves", "%d is negative", t.Border.Leaves)
	}
	leaves += max(t.Border.Leaves, 0)
	if t.Spines+leaves > maxSwitches || leaves > maxPorts {
		bad("racks", "%d spines and %d leaves are more than %d switches", t.Spines, leaves, maxSwitches)
	}
	if len(errs) > 0 {
		return errors.Join(errs...) // the names below need sound numbers
	}
	names := t.NodeNames()
	for name, kind := range t.Machines {
		if !t.isMachine(name) {
			bad("machines."+name, "the topology has no such machine")
		}
		kind.validate("machines."+name, bad)
	}
	for _, name := range slices.Sorted(maps.Keys(t.FRR)) {
		if !slices.ContainsFunc(t.Inventory().Switches, func(s Switch) bool { return s.Name == name }) {
			bad("frr."+name, "the topology has no such switch")
		}
		if _, ok := otherFRR[t.FRR[name]]; !ok {
			bad("frr."+name, "version %q is none of %q", t.FRR[name], slices.Sorted(maps.Keys(otherFRR)))
		}
	}
	for node, services := range t.Services {
		if !slices.Contains(names, node) {
			bad("services."+node, "the topology has no such node")
		}
		for i, s := range services {
			field := fmt.Sprintf("services.%s[%d]", node, i)
			if !labelPattern.MatchString(s.Name) {
				bad(field+".name", "%q is not a lower-case label", s.Name)
			}
			if len(s.Command) == 0 {
				bad(field+".command", "is empty")
			}
		}
	}
	return errors.Join(errs...)
}
