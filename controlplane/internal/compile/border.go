package compile

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// defaults are what every external network accepts from outside.
var defaults = []netmodel.Grant{{Prefix: netip.MustParsePrefix("0.0.0.0/0")}, {Prefix: netip.MustParsePrefix("::/0")}}

// VRFs are the VRFs that a switch must have for its external ports, by name. A port whose network there is not, or that is of another
// kind, asks for none. network finds a project's own network. Generations are the writer's.
func VRFs(sw netmodel.Switch, network func(project, id string) (netmodel.Network, bool)) map[string]netmodel.VRFIntent {
	out := map[string]netmodel.VRFIntent{}
	for _, p := range sw.Ports {
		if p.Role != netmodel.PortExternal {
			continue
		}
		n, ok := network(p.External.Project, p.External.Network)
		if !ok || n.Kind != netmodel.NetworkExternal {
			continue
		}
		v, ok := out[n.VRF]
		if !ok {
			v = netmodel.VRFIntent{
				Switch: sw.ID, VRF: n.VRF, VNI: n.VNI, Project: n.Project, Network: n.ID, Imports: imports(n), Exports: exports(n),
			}
		}
		v.Peers = append(v.Peers, netmodel.VRFPeer{Port: p.Name, ASN: p.External.ASN, MaximumPrefix: p.External.Limit()})
		slices.SortFunc(v.Peers, func(a, b netmodel.VRFPeer) int { return cmp.Compare(a.Port, b.Port) })
		out[n.VRF] = v
	}
	return out
}

// imports are the default routes exactly, and the network's destinations with all that is inside.
func imports(n netmodel.Network) []netmodel.Grant {
	out := slices.Clone(defaults)
	for _, d := range n.Destinations {
		out = append(out, netmodel.Grant{Prefix: d, MaxLength: d.Addr().BitLen()})
	}
	slices.SortFunc(out, func(a, b netmodel.Grant) int {
		return cmp.Or(comparePrefix(a.Prefix, b.Prefix), cmp.Compare(a.MaxLength, b.MaxLength))
	})
	return slices.Compact(out)
}

func exports(n netmodel.Network) []netip.Prefix {
	out := slices.SortedFunc(slices.Values(n.Prefixes), comparePrefix)
	return slices.Compact(out)
}

// SameVRF says whether two intents are the same but for their generation.
func SameVRF(a, b netmodel.VRFIntent) bool {
	return a.Switch == b.Switch && a.VRF == b.VRF && a.VNI == b.VNI && a.Project == b.Project && a.Network == b.Network &&
		slices.Equal(a.Peers, b.Peers) && slices.Equal(a.Imports, b.Imports) && slices.Equal(a.Exports, b.Exports)
}
