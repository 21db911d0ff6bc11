package frrtemplates

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// outsideView is a session to the outside. Its import lists deny what we announce before they permit anything.
type outsideView struct {
	neighbourView
	Exports4, Exports6 []entryView
}

func outsideByPort(a, b outsideView) int { return byPort(a.neighbourView, b.neighbourView) }

// addOutside adds a VRF's sessions to the outside.
func (v *vrfView) addOutside(sessions []Outside) {
	var own []netip.Prefix
	for _, o := range sessions {
		exports := masked(o.Exports)
		own = append(own, exports...)
		imports := neighbourOf(Neighbour{Port: o.Port, ASN: o.ASN, Grants: o.Imports, MaximumPrefix: o.MaximumPrefix})
		view := outsideView{neighbourView: imports}
		exports4, exports6 := byFamily(exports)
		view.Exports4, view.Exports6 = exactly(exports4), exactly(exports6)
		view.IPv4, view.IPv6 = denyFirst(exports4, imports.IPv4), denyFirst(exports6, imports.IPv6)
		v.Outside = append(v.Outside, view)
	}
	slices.SortFunc(v.Outside, outsideByPort)
	v.Aggregates4, v.Aggregates6 = byFamily(masked(own))
}

// masked are prefixes without host bits, sorted and once each.
func masked(in []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range in {
		out = append(out, p.Masked())
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return slices.Compact(out)
}

func byFamily(in []netip.Prefix) (v4, v6 []netip.Prefix) {
	for _, p := range in {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	return v4, v6
}

// exactly are entries that match prefixes and nothing inside them.
func exactly(prefixes []netip.Prefix) []entryView {
	var out []entryView
	for i, p := range prefixes {
		out = append(out, entryOf(i, netmodel.Grant{Prefix: p}))
	}
	return out
}

// denyFirst puts entries that deny prefixes, and all inside, before those that permit.
func denyFirst(own []netip.Prefix, permitted []entryView) []entryView {
	var out []entryView
	for i, p := range own {
		e := entryOf(i, netmodel.Grant{Prefix: p, MaxLength: p.Addr().BitLen()})
		e.Action = "deny"
		out = append(out, e)
	}
	for _, e := range permitted {
		e.Seq += 5 * len(own)
		out = append(out, e)
	}
	return out
}

// checkOutside refuses sessions to the outside that FRR would refuse, or would take for something else. inVRF are the ports that
// machines are on.
func checkOutside(in Input, inVRF map[string]string) []error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, vrf := range in.VRFs {
		for _, o := range vrf.Outside {
			errs = append(errs, checkSession(vrf.Name, o.Port, "the outside", in.ExternalPorts, "an external port", o.ASN, o.MaximumPrefix, inVRF)...)
			for _, p := range o.Exports {
				if !p.IsValid() || p.Addr().Is4In6() {
					bad("exported prefix %v of port %q is none", p, o.Port)
				}
			}
			errs = append(errs, checkGrantsOf(o.Port, o.Imports)...)
		}
	}
	if len(errs) == 0 && in.Role != netmodel.RoleBorder && len(in.ExternalPorts) > 0 {
		bad("only a border has external ports, and role is %q", in.Role)
	}
	return errs
}

// checkSession refuses what no session in a VRF may be: on a port of another role or another VRF, with nobody, or without a limit.
func checkSession(vrf, port, peer string, ports []string, role string, asn netmodel.ASN, maximum int, inVRF map[string]string) []error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if other, twice := inVRF[port]; twice {
		bad("port %q is in VRFs %q and %q", port, other, vrf)
	}
	inVRF[port] = vrf
	if !slices.Contains(ports, port) {
		bad("port %q of VRF %q is not %s", port, vrf, role)
	}
	if asn == 0 {
		bad("ASN of %s on port %q is 0", peer, port)
	}
	if maximum < 1 || maximum > 4294967295 {
		bad("maximum-prefix %d of port %q is out of range", maximum, port)
	}
	return errs
}
