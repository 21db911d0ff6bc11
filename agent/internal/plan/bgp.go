package plan

import (
	"fmt"
	"maps"
	"slices"

	frrtemplates "github.com/pointsman/pointsman/frr-templates"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// desireFRR renders the whole configuration. Every registered port gets its interface lines, even one that is missing now: they
// are slow to change, and harmless.
func (b *build) desireFRR() error {
	text, err := b.facts.Templates.Render(b.frrInput())
	if err != nil {
		return err
	}
	b.frr, err = frr.Parse(text)
	if err != nil {
		return fmt.Errorf("parse rendered FRR configuration: %w", err)
	}
	return nil
}

// FRRInput is what the templates would be given: for whoever tries templates on the present state.
func FRRInput(intent Intent, facts Facts) (frrtemplates.Input, error) {
	b := newBuild(intent, facts)
	if err := b.checkConfig(); err != nil {
		return frrtemplates.Input{}, fmt.Errorf("configuration of switch %q: %w", b.config.Switch, err)
	}
	b.place()
	return b.frrInput(), nil
}

func (b *build) frrInput() frrtemplates.Input {
	in := frrtemplates.Input{
		Hostname: b.hostname(), Role: b.config.Role, ASN: uint32(b.config.ASN), RouterID: b.config.Loopback,
		BFDInterval: b.facts.BFDInterval, StrictBFD: b.facts.StrictBFD,
	}
	for _, p := range b.config.Ports {
		switch {
		case !portName.MatchString(p.Name):
		case p.Role == netmodel.PortMachine:
			in.MachinePorts = append(in.MachinePorts, p.Name)
		case p.Role == netmodel.PortExternal:
			in.ExternalPorts = append(in.ExternalPorts, p.Name)
		default:
			in.Uplinks = append(in.Uplinks, p.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.tenants)) {
		in.VRFs = append(in.VRFs, b.frrVRF(name, b.tenants[name]))
	}
	return in
}

func (b *build) frrVRF(name string, t tenant) frrtemplates.VRF {
	vrf := frrtemplates.VRF{Name: name, VNI: t.vni}
	for _, port := range t.ports {
		intent := b.placements[port]
		if intent.External != nil {
			vrf.Outside = append(vrf.Outside, frrtemplates.Outside{
				Port: port, ASN: intent.PeerASN, Imports: intent.Grants, Exports: intent.External.Exports, MaximumPrefix: intent.External.MaximumPrefix,
			})
			continue
		}
		vrf.Neighbours = append(vrf.Neighbours, frrtemplates.Neighbour{
			Port: port, ASN: intent.PeerASN, Grants: intent.Grants, MaximumPrefix: maximumPrefix(intent.Grants),
		})
	}
	return vrf
}

// rangeAllowance is how many routes inside one announceable range a machine may hold, at most: pods and services of one node.
const rangeAllowance = 1000

// maximumPrefix is how many routes of one address family the grants can amount to: one for each exact prefix, and for a range the
// number of its longest prefixes, within the allowance.
func maximumPrefix(grants []netmodel.Grant) int {
	var v4, v6 int
	for _, g := range grants {
		n := 1
		if spread := g.MaxLength - g.Prefix.Bits(); spread > 0 {
			n = rangeAllowance
			if spread < 10 {
				n = min(rangeAllowance, 1<<(spread+1)-1)
			}
		}
		if g.Prefix.Addr().Is4() {
			v4 += n
		} else {
			v6 += n
		}
	}
	return max(v4, v6, 1)
}
