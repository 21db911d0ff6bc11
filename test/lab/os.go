package lab

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// OS is a network operating system of a leaf, by the word of the agent's configuration.
type OS string

// What a leaf may run. Spines run Linux.
const (
	Linux   OS = "linux"
	SONiC   OS = "sonic"
	Cumulus OS = "cumulus"
)

var knownOS = []OS{Linux, SONiC, Cumulus}

// OSList is what the leaves of a rack run, in their order; one for all, or none for Linux.
type OSList []OS

// UnmarshalYAML takes one word, or a list of them.
func (l *OSList) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*l = OSList{OS(node.Value)}
		return nil
	}
	return node.Decode((*[]OS)(l))
}

func (l OSList) validate(field string, leaves int, bad func(field, format string, args ...any)) {
	if len(l) > 1 && len(l) != leaves {
		bad(field, "%d for %d leaves: write one for each, or one word for all", len(l), leaves)
	}
	for _, os := range l {
		if !slices.Contains(knownOS, os) {
			bad(field, "%q is none of %s", os, strings.Trim(fmt.Sprint(knownOS), "[]"))
		}
	}
}

// of returns what the nth leaf of the rack runs.
func (l OSList) of(n int) OS {
	switch len(l) {
	case 0:
		return Linux
	case 1:
		return l[0]
	default:
		return l[n]
	}
}

// portName is what an OS calls the front-panel port with a number: SONiC counts lanes, four to a port, from 0.
func (os OS) portName(number int) string {
	if os == SONiC {
		return fmt.Sprintf("Ethernet%d", 4*(number-1))
	}
	return swp(number)
}
