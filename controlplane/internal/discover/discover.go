// Package discover tells what machines there are from what leaves heard on their ports, and why one cannot be allocated. It is
// pure. A machine's word is a claim: what an allocated port hears is that port's fault and never moves or blocks another machine.
package discover

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Port names a port of a switch.
type Port struct{ Switch, Port string }

func (p Port) String() string { return p.Switch + " " + p.Port }

// Fabric is all that discovery looks at.
type Fabric struct {
	Switches    map[string]netmodel.Switch
	Machines    map[string]netmodel.Machine
	Allocations map[string]netmodel.Allocation // by machine
	Intents     map[Port]netmodel.PortIntent
	Discoveries map[Port]netmodel.Discovery
	Statuses    map[Port]netmodel.PortStatus
	Agents      map[string]netmodel.SwitchStatus
	Alive       map[string]bool
}

// Identity is how a machine makes itself known over LLDP.
type Identity struct {
	SystemUUID string
	ChassisMAC string
	PortMAC    string
	Name       string
	PortName   string
}

// Subtypes of IEEE 802.1AB, tables 8-2 and 8-3.
const (
	chassisMAC    = 4
	chassisLocal  = 7
	portMAC       = 3
	portInterface = 5
)

var (
	uuidForm  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	labelForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
)

// Identify reads a neighbour's identity: the system UUID is in the chassis ID or, as metal-stack's machines do, the system name.
func Identify(n netmodel.Neighbour) Identity {
	id := Identity{Name: strings.ToLower(n.SystemName)}
	for _, text := range []string{n.ChassisID, n.SystemName} {
		if lower := strings.ToLower(text); id.SystemUUID == "" && uuidForm.MatchString(lower) {
			id.SystemUUID = lower
		}
	}
	if n.ChassisIDSubtype == chassisMAC {
		id.ChassisMAC = strings.ToLower(n.ChassisID)
	}
	id.PortMAC = strings.ToLower(n.SourceMAC)
	if n.PortIDSubtype == portMAC {
		id.PortMAC = strings.ToLower(n.PortID)
	}
	id.PortName = n.PortDescription
	if n.PortIDSubtype == portInterface {
		id.PortName = n.PortID
	}
	return id
}

// key groups the ports of one machine that nobody has adopted.
func (i Identity) key() string { return cmp.Or(i.SystemUUID, i.ChassisMAC) }

// Matches says whether an identity is a machine's: by system UUID, else chassis MAC, else port MAC.
func Matches(m netmodel.Machine, i Identity) bool {
	switch {
	case m.SystemUUID != "" && i.SystemUUID != "":
		return strings.EqualFold(m.SystemUUID, i.SystemUUID)
	case m.ChassisMAC != "" && i.ChassisMAC != "":
		return strings.EqualFold(m.ChassisMAC, i.ChassisMAC)
	}
	return slices.ContainsFunc(m.PortMACs, func(mac string) bool { return strings.EqualFold(mac, i.PortMAC) })
}

// claim is one neighbour heard on a port.
type claim struct {
	port     Port
	identity Identity
	others   string // who else is heard on this port
	uplink   bool   // the port is for switches
}

// Machines lists adopted machines and those that are only discovered, the former sorted by ID.
func Machines(f Fabric) []netmodel.MachineView {
	byMachine, unknown := f.claims()
	var out []netmodel.MachineView
	for _, id := range slices.Sorted(maps.Keys(f.Machines)) {
		out = append(out, f.view(f.Machines[id], byMachine[id]))
	}
	for _, key := range slices.Sorted(maps.Keys(unknown)) {
		if m, ok := f.discovered(unknown[key]); ok {
			out = append(out, m)
		}
	}
	return out
}

// One is a single adopted machine's view.
func One(f Fabric, id string) (netmodel.MachineView, bool) {
	m, ok := f.Machines[id]
	if !ok {
		return netmodel.MachineView{}, false
	}
	byMachine, _ := f.claims()
	return f.view(m, byMachine[id]), true
}

// claims sorts what is heard on machine ports: by the adopted machine it matches, else by its own word.
func (f Fabric) claims() (byMachine map[string][]claim, unknown map[string][]claim) {
	byMachine, unknown = map[string][]claim{}, map[string][]claim{}
	index := newIndex(f.Machines)
	owners := f.owners()
	for _, port := range slices.SortedFunc(maps.Keys(f.Discoveries), comparePorts) {
		for _, c := range f.heardOn(port) {
			id, known := index.find(c.identity)
			switch t, counts := f.sort(port, c.identity, id, known, owners[port]); {
			case !counts:
			case t.unknown != "":
				unknown[t.unknown] = append(unknown[t.unknown], c)
			default:
				byMachine[t.machine] = append(byMachine[t.machine], c)
			}
		}
	}
	return byMachine, unknown
}

// heardOn lists the claims on a port: of all that is heard on a machine port, and on an uplink of all that is no switch.
func (f Fabric) heardOn(port Port) []claim {
	uplink := f.isUplink(port)
	if _, ok := f.Intents[port]; !ok && !uplink {
		return nil
	}
	var out []claim
	neighbours := f.Discoveries[port].Neighbours
	for i, n := range neighbours {
		c := claim{port: port, identity: Identify(n), others: everybodyBut(neighbours, i), uplink: uplink}
		if !uplink || !f.isSwitch(c.identity) {
			out = append(out, c)
		}
	}
	return out
}

// target is whom a claim is for: an adopted machine, or an unknown one by its own word.
type target struct{ machine, unknown string }

// sort says whom what is heard on a port is for; false is nobody. id is the adopted machine that has the identity, if one is
// known, and owner the machine whose allocation holds the port.
func (f Fabric) sort(port Port, i Identity, id string, known bool, owner string) (target, bool) {
	switch {
	case f.Intents[port].Mode == netmodel.ModeVRF && id != owner:
		// Whatever is heard on an allocated port, it says nothing about another machine.
		return target{machine: owner}, owner != ""
	case known && f.Machines[id].Allocation != "" && id != owner:
		// Somebody on a free port claims to be an allocated machine: not that machine's matter.
		return target{}, false
	case known:
		return target{machine: id}, true
	case f.isSwitch(i):
		return target{}, false // the port's fault; it is never adopted
	default:
		return target{unknown: i.key()}, i.key() != ""
	}
}

// owners maps allocated ports to their machines.
func (f Fabric) owners() map[Port]string {
	out := map[Port]string{}
	for machine, a := range f.Allocations {
		for _, p := range a.Ports {
			out[Port{p.Switch, p.Port}] = machine
		}
	}
	return out
}

func comparePorts(a, b Port) int {
	return cmp.Or(cmp.Compare(a.Switch, b.Switch), cmp.Compare(len(a.Port), len(b.Port)), cmp.Compare(a.Port, b.Port))
}

// index finds machines by identity without looking at each.
type index struct{ uuid, chassis, port map[string]string }

func newIndex(machines map[string]netmodel.Machine) index {
	x := index{map[string]string{}, map[string]string{}, map[string]string{}}
	for _, id := range slices.Sorted(maps.Keys(machines)) {
		m := machines[id]
		if m.SystemUUID != "" {
			x.uuid[strings.ToLower(m.SystemUUID)] = id
		}
		if m.ChassisMAC != "" {
			x.chassis[strings.ToLower(m.ChassisMAC)] = id
		}
		for _, mac := range m.PortMACs {
			x.port[strings.ToLower(mac)] = id
		}
	}
	return x
}

func (x index) find(i Identity) (string, bool) {
	if id, ok := x.uuid[i.SystemUUID]; ok && i.SystemUUID != "" {
		return id, true
	}
	if id, ok := x.chassis[i.ChassisMAC]; ok && i.ChassisMAC != "" {
		return id, true
	}
	id, ok := x.port[i.PortMAC]
	return id, ok && i.PortMAC != ""
}

// view computes an adopted machine's state.
func (f Fabric) view(m netmodel.Machine, claims []claim) netmodel.MachineView {
	v := netmodel.MachineView{Machine: m}
	v.PendingRelease = f.unproven(m.PendingRelease)
	if len(claims) > 0 {
		v.SystemName = claims[0].identity.Name
	}
	if a, ok := f.Allocations[m.ID]; ok && m.Allocation != "" {
		v.State = netmodel.MachineAllocated
		for _, p := range a.Ports {
			v.Connections = append(v.Connections, netmodel.Connection{Switch: p.Switch, Port: p.Port, MachinePort: p.MachinePort, MAC: p.MAC})
		}
		v.Faults = f.allocatedFaults(m, a, claims)
		v.Rack = f.rack(v)
		return v
	}
	v.Connections = connections(claims)
	v.Faults = slices.Concat(f.cablingFaults(claims), f.crossedFaults(claims), f.portFaults(claims))
	switch {
	case len(v.PendingRelease) > 0:
		v.State = netmodel.MachineReleasing
		for _, p := range v.PendingRelease {
			v.Faults = append(v.Faults, fmt.Sprintf("%s has not yet proven the release of %s (generation %d)", p.Switch, p.Port, p.Generation))
		}
	case len(v.Faults) > 0:
		v.State = netmodel.MachineFaulty
	default:
		v.State = netmodel.MachineFree
	}
	v.Rack = f.rack(v)
	return v
}

// rack is where a machine is cabled, else what the inventory says.
func (f Fabric) rack(m netmodel.MachineView) string {
	if len(m.Connections) == 0 {
		return m.Rack
	}
	return f.Switches[m.Connections[0].Switch].Rack
}

// discovered is an unknown chassis on two provisioning ports of one rack.
func (f Fabric) discovered(claims []claim) (netmodel.MachineView, bool) {
	uplinks := 0
	for _, c := range claims {
		if c.uplink {
			uplinks++
		} else if f.Intents[c.port].Mode != netmodel.ModeProvisioning {
			return netmodel.MachineView{}, false
		}
	}
	if uplinks == len(claims) {
		return netmodel.MachineView{}, false // whatever that is: the ports' fault
	}
	id := claims[0].identity
	m := netmodel.MachineView{
		State: netmodel.MachineDiscovered, Connections: connections(claims), SystemName: id.Name,
		Faults: append(f.cablingFaults(claims), f.crossedFaults(claims)...),
	}
	m.SystemUUID, m.ChassisMAC = id.SystemUUID, id.ChassisMAC
	m.Rack = f.Switches[claims[0].port.Switch].Rack
	for _, c := range claims {
		if c.identity.PortMAC != "" && !slices.Contains(m.PortMACs, c.identity.PortMAC) {
			m.PortMACs = append(m.PortMACs, c.identity.PortMAC)
		}
	}
	slices.Sort(m.PortMACs)
	return m, true
}

// SuggestID is a discovered machine's name if it may be an ID, else one made of its identity.
func SuggestID(m netmodel.MachineView) string {
	name, _, _ := strings.Cut(m.SystemName, ".")
	if labelForm.MatchString(name) && !uuidForm.MatchString(name) && name != "localhost" {
		return name
	}
	return "m-" + strings.ReplaceAll(cmp.Or(m.SystemUUID, m.ChassisMAC), ":", "")
}

func connections(claims []claim) []netmodel.Connection {
	var out []netmodel.Connection
	for _, c := range claims {
		out = append(out, netmodel.Connection{Switch: c.port.Switch, Port: c.port.Port, MachinePort: c.identity.PortName, MAC: c.identity.PortMAC})
	}
	return out
}

// portFaults says which leaf ports are not in a proven provisioning state on a live leaf.
func (f Fabric) portFaults(claims []claim) []string {
	var faults []string
	for _, c := range claims {
		intent, status := f.Intents[c.port], f.Statuses[c.port]
		switch {
		case c.uplink: // said as a fault of cabling
		case !f.Alive[c.port.Switch]:
			faults = append(faults, fmt.Sprintf("%s is not live", c.port.Switch))
		case f.Agents[c.port.Switch].State != netmodel.AgentFollowing:
			faults = append(faults, fmt.Sprintf("%s does not follow this store: %s", c.port.Switch, cmp.Or(f.Agents[c.port.Switch].Reason, "its agent has not reported yet")))
		case intent.Mode != netmodel.ModeProvisioning:
			faults = append(faults, fmt.Sprintf("%s is not in provisioning", c.port))
		case status.AppliedGeneration != intent.Generation || status.Mode != netmodel.ModeProvisioning:
			faults = append(faults, strings.TrimSuffix(fmt.Sprintf("%s has not yet applied generation %d: %s", c.port, intent.Generation, status.Error), ": "))
		}
	}
	return faults
}

// allocatedFaults says what is heard on an allocation's ports that is not its machine.
func (f Fabric) allocatedFaults(m netmodel.Machine, a netmodel.Allocation, claims []claim) []string {
	var faults []string
	for _, p := range a.Ports {
		port := Port{p.Switch, p.Port}
		heard := false
		for _, c := range claims {
			if c.port != port {
				continue
			}
			if Matches(m, c.identity) {
				heard = true
				continue
			}
			faults = append(faults, fmt.Sprintf("%s hears %s instead of %s", port, c.identity.end(), endOf(m.ID, p)))
		}
		if !heard && f.Alive[p.Switch] {
			faults = append(faults, fmt.Sprintf("%s does not hear %s", port, endOf(m.ID, p)))
		}
	}
	return faults
}

// unproven are the ports whose leaves have not reported a release's generation as applied.
func (f Fabric) unproven(pending []netmodel.PendingRelease) []netmodel.PendingRelease {
	var out []netmodel.PendingRelease
	for _, p := range pending {
		s, ok := f.Statuses[Port{p.Switch, p.Port}]
		if _, registered := f.Intents[Port{p.Switch, p.Port}]; registered && (!ok || s.AppliedGeneration < p.Generation) {
			out = append(out, p)
		}
	}
	return out
}
