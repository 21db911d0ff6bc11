package frrtemplates

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// view is Input as the templates want it: sorted, checked, with each text of a line ready.
type view struct {
	Hostname   string
	ASN        uint32
	RouterID   netip.Addr
	Uplinks    []string
	Ports      []string
	VRFs       []vrfView
	Neighbours []neighbourView
	Outside    []outsideView
	// BFDInterval is in milliseconds.
	BFDInterval int
}

type vrfView struct {
	Name        string
	VNI         netmodel.VNI
	SwitchASN   uint32
	RouterID    netip.Addr
	RouteTarget string
	BFD         bool // with machines and the outside
	Neighbours  []neighbourView
	Outside     []outsideView
	// Of the network, without regard to sessions: what is announced outside.
	Aggregates4, Aggregates6 []netip.Prefix
}

type neighbourView struct {
	Port          string
	ASN           netmodel.ASN
	MaximumPrefix int
	IPv4, IPv6    []entryView
}

// entryView is an entry of a prefix-list.
type entryView struct {
	Seq    int
	Action string // permit or deny
	Match  string
}

func viewOf(in Input) (view, error) {
	v := view{
		Hostname: in.Hostname, ASN: in.ASN, RouterID: in.RouterID,
		Uplinks:     sortedNames(in.Uplinks),
		Ports:       sortedNames(slices.Concat(in.Uplinks, in.MachinePorts, in.ExternalPorts)),
		BFDInterval: cmp.Or(in.BFDInterval, DefaultBFDInterval),
	}
	for _, vrf := range in.VRFs {
		vv := vrfView{
			Name: vrf.Name, VNI: vrf.VNI, SwitchASN: in.ASN, RouterID: in.RouterID,
			RouteTarget: fmt.Sprintf("%d:%d", netmodel.RouteTargetASN, vrf.VNI), BFD: !in.StrictBFD,
		}
		for _, n := range vrf.Neighbours {
			vv.Neighbours = append(vv.Neighbours, neighbourOf(n))
		}
		slices.SortFunc(vv.Neighbours, byPort)
		vv.addOutside(vrf.Outside)
		v.VRFs = append(v.VRFs, vv)
		v.Neighbours = append(v.Neighbours, vv.Neighbours...)
		v.Outside = append(v.Outside, vv.Outside...)
	}
	slices.SortFunc(v.VRFs, func(a, b vrfView) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(v.Neighbours, byPort)
	slices.SortFunc(v.Outside, outsideByPort)
	return v, check(in, v)
}

func byPort(a, b neighbourView) int { return comparePorts(a.Port, b.Port) }

func neighbourOf(n Neighbour) neighbourView {
	grants := slices.Clone(n.Grants)
	for i := range grants {
		grants[i].Prefix = grants[i].Prefix.Masked()
	}
	slices.SortFunc(grants, compareGrants)
	v := neighbourView{Port: n.Port, ASN: n.ASN, MaximumPrefix: n.MaximumPrefix}
	for _, g := range slices.Compact(grants) {
		if g.Prefix.Addr().Is4() {
			v.IPv4 = append(v.IPv4, entryOf(len(v.IPv4), g))
		} else {
			v.IPv6 = append(v.IPv6, entryOf(len(v.IPv6), g))
		}
	}
	return v
}

// entryOf numbers entries 5, 10, 15, … as FRR itself would.
func entryOf(index int, g netmodel.Grant) entryView {
	match := g.Prefix.String()
	if g.MaxLength > g.Prefix.Bits() {
		match = fmt.Sprintf("%s le %d", match, g.MaxLength)
	}
	return entryView{Seq: 5 * (index + 1), Action: "permit", Match: match}
}

func compareGrants(a, b netmodel.Grant) int {
	return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()), cmp.Compare(a.MaxLength, b.MaxLength))
}

// word is what may stand in a line: whatever else could end it and begin another.
var word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/:-]*$`)

// check refuses what FRR would refuse, or would take for something else.
func check(in Input, v view) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !word.MatchString(in.Hostname) {
		bad("hostname %q is not one word", in.Hostname)
	}
	if !in.RouterID.Is4() {
		bad("router ID %v is not an IPv4 address", in.RouterID)
	}
	if in.ASN == 0 {
		bad("ASN is 0")
	}
	for _, p := range v.Ports {
		if !word.MatchString(p) {
			bad("port %q is not one word", p)
		}
	}
	if len(v.Ports) != len(in.Uplinks)+len(in.MachinePorts)+len(in.ExternalPorts) {
		bad("a port is named twice")
	}
	inVRF := map[string]string{}
	for _, vrf := range v.VRFs {
		if !word.MatchString(vrf.Name) {
			bad("VRF %q is not one word", vrf.Name)
		}
		if vrf.VNI == 0 || vrf.VNI > netmodel.LastVNI {
			bad("VNI %d of VRF %q is out of range", vrf.VNI, vrf.Name)
		}
		for _, n := range vrf.Neighbours {
			errs = append(errs, checkSession(vrf.Name, n.Port, "the machine", in.MachinePorts, "a machine port", n.ASN, n.MaximumPrefix, inVRF)...)
		}
	}
	errs = append(errs, checkOutside(in, inVRF)...)
	return errors.Join(append(errs, checkGrants(in)...)...)
}

func checkGrants(in Input) []error {
	var errs []error
	for _, vrf := range in.VRFs {
		for _, n := range vrf.Neighbours {
			errs = append(errs, checkGrantsOf(n.Port, n.Grants)...)
		}
	}
	return errs
}

func checkGrantsOf(port string, grants []netmodel.Grant) []error {
	var errs []error
	for _, g := range grants {
		if !g.Prefix.IsValid() || g.Prefix.Addr().Is4In6() || g.MaxLength < 0 || g.MaxLength > g.Prefix.Addr().BitLen() {
			errs = append(errs, fmt.Errorf("grant %v up to %d of port %q is no prefix", g.Prefix, g.MaxLength, port))
		}
	}
	return errs
}
