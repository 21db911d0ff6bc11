package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	frrtemplates "github.com/pointsman/pointsman/frr-templates"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Intent is what the control plane asks of a switch. Ports and Probes are by port and by allocation. External ports are among Ports, each
// with its part of the intent of its VRF.
type Intent struct {
	Config netmodel.SwitchConfig
	Ports  map[string]netmodel.PortIntent
	Probes map[string]netmodel.Probe
}

// Facts is what the planner must know about the switch besides the intent.
type Facts struct {
	Hostname string
	// BridgeMAC is the switch's own MAC where its network OS has one; zero derives one from the loopback.
	BridgeMAC MAC
	// Ports are those that exist.
	Ports map[string]PortFacts
	// Assigned are the numbers that VRFs and VNIs hold on this switch: observed ones, else those stored. See Observing.
	Assigned Assignments
	// TakenTables and TakenVLANs are held by others, or by what is about to go: two VRFs never share a table, not for a moment.
	TakenTables []uint32
	TakenVLANs  []uint16
	// Capabilities of the switch; the zero value means LinuxCapabilities.
	Capabilities Capabilities
	// Refusal is why nothing may be changed on this switch as it is, in words; "" is the usual.
	Refusal string
	// Ranges to choose from; the zero value means DefaultRanges.
	Ranges Ranges
	// Held are ports that do not come up in a VRF yet, as the fabric behind the switch is not there.
	Held map[string]bool
	// BFDInterval is in milliseconds; 0 means the templates' default.
	BFDInterval int
	// StrictBFD is an FRR that holds sessions back while BFD is down.
	StrictBFD bool
	// MistakesSVIs is an FRR that takes an SVI without a VNI for that of another's.
	MistakesSVIs bool
	// Protect says how the switch protects itself from machines.
	Protect Protect
	// Templates render FRR's configuration; nil means the built-in ones.
	Templates *frrtemplates.Set
}

// PortFacts is what is known of a port that exists.
type PortFacts struct {
	MAC   MAC
	Speed int // Mbit/s, 0 if unknown
}

// Assignments are switch-local numbers. They mean nothing outside the switch.
type Assignments struct {
	Tables map[string]uint32       `json:"tables,omitempty"`
	VLANs  map[netmodel.VNI]uint16 `json:"vlans,omitempty"`
	// VNIs of VRFs. They are the control plane's; kept, they tell a VRF that has its VNI here from one that wrongly claims it.
	VNIs map[string]netmodel.VNI `json:"vnis,omitempty"`
}

// Ranges to choose switch-local numbers from, ends included.
type Ranges struct {
	FirstTable, LastTable uint32 // the first is that of VRF provision
	FirstVLAN, LastVLAN   uint16 // for VNIs; the provisioning VLAN lies outside
}

// DefaultRanges leaves the low VLANs to provisioning.
var DefaultRanges = Ranges{FirstTable: 1000, LastTable: 1999, FirstVLAN: 1000, LastVLAN: 3999}

// Problem is why a port cannot be what its intent asks. It holds back no other port.
type Problem struct {
	Port string
	Err  error
}

func (p Problem) Error() string { return fmt.Sprintf("port %q: %v", p.Port, p.Err) }

func (p Problem) Unwrap() error { return p.Err }

// Observing returns the facts with the numbers that the observed state holds, before those that were stored.
func (f Facts) Observing(observed State, stored Assignments) Facts {
	now := AssignmentsOf(observed)
	f.TakenTables = slices.Concat(f.TakenTables, slices.Sorted(maps.Values(now.Tables)))
	f.TakenVLANs = slices.Concat(f.TakenVLANs, slices.Sorted(maps.Keys(observed.Kernel.SVIs)))
	for _, vxlan := range observed.Kernel.VNIs {
		for _, m := range vxlan.VLANs {
			f.TakenVLANs = append(f.TakenVLANs, m.VLAN)
		}
	}
	fillFree(now.Tables, stored.Tables)
	fillFree(now.VLANs, stored.VLANs)
	fillFree(now.VNIs, stored.VNIs)
	f.Assigned = now
	return f
}

// AssignmentsOf returns the numbers that the VRFs and VNIs of a state hold.
func AssignmentsOf(s State) Assignments {
	a := Assignments{Tables: map[string]uint32{}, VLANs: map[netmodel.VNI]uint16{}, VNIs: map[string]netmodel.VNI{}}
	for name, vrf := range s.Kernel.VRFs {
		a.Tables[name] = vrf.Table
	}
	for vni, vxlan := range s.Kernel.VNIs {
		for _, m := range vxlan.VLANs {
			if !m.PVID {
				continue
			}
			a.VLANs[vni] = m.VLAN
			if svi, ok := s.Kernel.SVIs[m.VLAN]; ok && svi.VRF != "" {
				a.VNIs[svi.VRF] = vni
			}
		}
	}
	return a
}

// fillFree adds what was stored, except numbers that somebody else holds meanwhile.
func fillFree[K cmp.Ordered, N cmp.Ordered](now, stored map[K]N) {
	held := map[N]bool{}
	for _, n := range now {
		held[n] = true
	}
	for _, k := range slices.Sorted(maps.Keys(stored)) {
		if _, ok := now[k]; !ok && !held[stored[k]] {
			now[k] = stored[k]
			held[stored[k]] = true
		}
	}
}
