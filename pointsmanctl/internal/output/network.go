package output

import (
	"fmt"
	"strings"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

func (p Printer) networkColumns() []column[*apiv1.Network] {
	type network = *apiv1.Network
	return []column[network]{
		{"ID", false, network.GetId},
		{"KIND", false, func(n network) string { return Word(n.GetKind()) }},
		{"VRF", false, func(n network) string { return text(n.GetVrf()) }},
		{"VNI", false, func(n network) string { return number(n.GetVni()) }},
		{"PREFIXES", false, func(n network) string { return joined(n.GetPrefixes()) }},
		{"POOL", false, func(n network) string { return text(n.GetPool()) }},
		{"AGE", false, func(n network) string { return age(p.Now, n.GetCreateTime()) }},
		{"PROJECT", true, func(n network) string { return text(n.GetProject()) }},
		{"ANNOUNCEABLE", true, announceable},
		{"DESTINATIONS", true, func(n network) string { return joined(n.GetDestinations()) }},
		{"CARVED", true, carved},
		{"LABELS", true, func(n network) string { return labelled(n.GetLabels()) }},
		{"DESCRIPTION", true, func(n network) string { return text(n.GetDescription()) }},
	}
}

// Networks writes a list of networks.
func (p Printer) Networks(r *apiv1.ListNetworksResponse) error {
	return list(p, r, r.GetNetworks(), p.networkColumns())
}

// Network writes one network.
func (p Printer) Network(n *apiv1.Network) error { return get(p, n, p.networkColumns()) }

func announceable(n *apiv1.Network) string {
	var out []string
	for _, a := range n.GetAnnounceable() {
		s := a.GetPrefix()
		if a.GetMaxLength() != 0 {
			s += fmt.Sprintf(":%d", a.GetMaxLength())
		}
		out = append(out, s)
	}
	return joined(out)
}

// carved tells of a pool how much is carved and how long the next ones are.
func carved(n *apiv1.Network) string {
	if n.GetKind() != apiv1.NetworkKind_NETWORK_KIND_POOL {
		return none
	}
	var lengths []string
	for _, l := range []uint32{n.GetDefaultIpv4Length(), n.GetDefaultIpv6Length()} {
		if l != 0 {
			lengths = append(lengths, fmt.Sprintf("/%d", l))
		}
	}
	if len(lengths) == 0 {
		return fmt.Sprintf("%d", len(n.GetCarved()))
	}
	return fmt.Sprintf("%d (next %s)", len(n.GetCarved()), strings.Join(lengths, " and "))
}
