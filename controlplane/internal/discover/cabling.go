package discover

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// end is the far end of a cable as it names itself: the system and its port.
func (i Identity) end() string {
	return strings.TrimSpace(cmp.Or(i.Name, i.key(), i.PortMAC, "somebody without a name") + " " + cmp.Or(i.PortName, i.PortMAC))
}

// endOf is the far end of a cable as an allocation remembers it.
func endOf(machine string, p netmodel.AllocationPort) string {
	return strings.TrimSpace(machine + " " + cmp.Or(p.MachinePort, p.MAC))
}

// both names both ends of a claim's cable.
func (c claim) both() string { return fmt.Sprintf("%s to %s", c.port, c.identity.end()) }

func everybodyBut(neighbours []netmodel.Neighbour, but int) string {
	var out []string
	for i, n := range neighbours {
		if i != but {
			out = append(out, Identify(n).end())
		}
	}
	return strings.Join(out, ", ")
}

// isUplink says whether a port is registered for switches.
func (f Fabric) isUplink(p Port) bool {
	return slices.ContainsFunc(f.Switches[p.Switch].Ports, func(sp netmodel.SwitchPort) bool {
		return sp.Name == p.Port && sp.Role == netmodel.PortUplink
	})
}

// isSwitch says whether a neighbour goes by the name of a registered switch. It is a claim like any other: whoever makes it falsely is not
// discovered as a machine, and nothing more.
func (f Fabric) isSwitch(i Identity) bool {
	_, ok := f.Switches[i.host()]
	return ok
}

// host is the name without its domain.
func (i Identity) host() string {
	host, _, _ := strings.Cut(i.Name, ".")
	return host
}

// cablingFaults says what is wrong with where a machine is heard.
func (f Fabric) cablingFaults(claims []claim) []string {
	var faults []string
	leaves, racks := map[string][]claim{}, map[string]claim{}
	for _, c := range claims {
		if c.others != "" {
			faults = append(faults, fmt.Sprintf("%s hears more than one neighbour: %s, %s", c.port, c.identity.end(), c.others))
		}
		if c.uplink {
			faults = append(faults, fmt.Sprintf("cabled to an uplink: %s", c.both()))
			continue
		}
		leaves[c.port.Switch] = append(leaves[c.port.Switch], c)
		racks[f.Switches[c.port.Switch].Rack] = c
	}
	for _, leaf := range slices.Sorted(maps.Keys(leaves)) {
		if twice := leaves[leaf]; len(twice) > 1 {
			faults = append(faults, fmt.Sprintf("cabled %d times to %s: %s", len(twice), leaf, list(twice)))
		}
	}
	if len(racks) > 1 {
		var ends []string
		for _, rack := range slices.Sorted(maps.Keys(racks)) {
			ends = append(ends, fmt.Sprintf("%s in rack %s", racks[rack].both(), rack))
		}
		faults = append(faults, "cabled to more than one rack: "+strings.Join(ends, ", "))
	}
	switch len(leaves) {
	case 0:
		faults = append(faults, "heard on no leaf")
	case 1:
		only := leaves[slices.Collect(maps.Keys(leaves))[0]][0]
		faults = append(faults, fmt.Sprintf("heard on one leaf only: %s", only.both()))
	case 2:
	default:
		faults = append(faults, fmt.Sprintf("cabled to %d leaves: %s", len(leaves), list(claims)))
	}
	return faults
}

func list(claims []claim) string {
	var out []string
	for _, c := range claims {
		out = append(out, c.both())
	}
	return strings.Join(out, ", ")
}

// mirrors are the ports at which the other machine of a crossed pair is heard: this one is on port p of one leaf and on port q of another,
// so the other is on the first's counterpart of q and the second's of p. false is that there can be none.
func (f Fabric) mirrors(claims []claim) (a, b Port, ok bool) {
	if len(claims) != 2 || claims[0].port.Switch == claims[1].port.Switch {
		return Port{}, Port{}, false
	}
	a, b = f.counterpart(claims[1].port, claims[0].port.Switch), f.counterpart(claims[0].port, claims[1].port.Switch)
	return a, b, b != claims[1].port && a != claims[0].port
}

// counterpart is the port of another leaf at which a machine is expected that is on this one: that of the same name, or where the leaf's
// network OS has other names (Ethernet4 is the second port, as swp2 is) that of the same place among the ports for machines.
func (f Fabric) counterpart(p Port, leaf string) Port {
	theirs := f.machinePorts(leaf)
	if slices.Contains(theirs, p.Port) {
		return Port{leaf, p.Port}
	}
	if i := slices.Index(f.machinePorts(p.Switch), p.Port); i >= 0 && i < len(theirs) {
		return Port{leaf, theirs[i]}
	}
	return Port{leaf, p.Port}
}

// machinePorts are the names of a switch's ports for machines, as they are counted.
func (f Fabric) machinePorts(id string) []string {
	var out []string
	for _, p := range f.Switches[id].Ports {
		if p.Role == netmodel.PortMachine {
			out = append(out, p.Name)
		}
	}
	slices.SortFunc(out, netmodel.ComparePortNames)
	return out
}

// crossedFaults finds two machines whose cables to one leaf were exchanged. Only ports in provisioning count: what an allocated port
// claims blocks nobody.
func (f Fabric) crossedFaults(claims []claim) []string {
	a, b, ok := f.mirrors(claims)
	if !ok || f.Intents[a].Mode != netmodel.ModeProvisioning || f.Intents[b].Mode != netmodel.ModeProvisioning {
		return nil
	}
	for _, n := range f.Discoveries[a].Neighbours {
		other := Identify(n)
		if other.key() == "" || other.key() == claims[0].identity.key() {
			continue
		}
		for _, m := range f.Discoveries[b].Neighbours {
			if again := Identify(m); again.key() == other.key() {
				return []string{fmt.Sprintf("crossed with %s: %s, but %s to %s, %s to %s",
					cmp.Or(other.Name, other.key()), list(claims), a, other.end(), b, again.end())}
			}
		}
	}
	return nil
}

// portFaultsOf says what is wrong with who is heard on a port, whoever it is. owner is the machine whose allocation holds the port.
func (f Fabric) portFaultsOf(port Port, owner string) []string {
	neighbours := f.Discoveries[port].Neighbours
	if len(neighbours) == 0 {
		return nil
	}
	var faults []string
	if len(neighbours) > 1 {
		faults = append(faults, fmt.Sprintf("%s hears more than one neighbour: %s", port, everybodyBut(neighbours, -1)))
	}
	_, machinePort := f.Intents[port]
	for _, n := range neighbours {
		i := Identify(n)
		known := owner != "" && Matches(f.Machines[owner], i)
		switch {
		case f.isUplink(port) && !f.isSwitch(i):
			faults = append(faults, fmt.Sprintf("%s is an uplink and hears %s, which is no registered switch", port, i.end()))
		case !machinePort || known:
		case owner != "":
			faults = append(faults, fmt.Sprintf("%s hears %s instead of %s", port, i.end(), f.ownerEnd(port, owner)))
		case f.isSwitch(i):
			faults = append(faults, fmt.Sprintf("%s hears switch %s where a machine should be", port, i.end()))
		}
	}
	return faults
}

func (f Fabric) ownerEnd(port Port, owner string) string {
	for _, p := range f.Allocations[owner].Ports {
		if p.Switch == port.Switch && p.Port == port.Port {
			return endOf(owner, p)
		}
	}
	return owner
}

// PortFaults says what is wrong with who is heard on a port, one line each, both ends of the cable named.
func PortFaults(f Fabric, p Port) []string { return f.portFaultsOf(p, f.owners()[p]) }

// PortFaults is PortFaults of the fabric as it is now.
func (x *Index) PortFaults(p Port) []string { return x.f.portFaultsOf(p, x.owners[p]) }
