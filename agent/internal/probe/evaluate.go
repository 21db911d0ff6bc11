package probe

import (
	"context"
	"net/netip"
	"slices"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// evaluate answers one probe. ok is false if the answer could not be read.
func (p *Prober) evaluate(ctx context.Context, asked Asked, probe netmodel.Probe) (answer netmodel.ProbeStatus, ok bool) {
	answer = netmodel.ProbeStatus{Allocation: probe.Allocation, Generation: probe.Generation}
	_, answer.VRFPresent = asked.VRFs[probe.VRF]
	holders := p.holdersOnLeaf
	if asked.Config.Role == netmodel.RoleSpine {
		holders = p.holdersOnSpine
	} else if !answer.VRFPresent {
		return answer, true // nothing to prove here
	}
	answer.Satisfied = len(probe.Prefixes) > 0
	for _, prefix := range probe.Prefixes {
		origins, err := holders(ctx, asked.Config.Loopback, probe, prefix)
		if err != nil {
			p.log.Debug("probe unanswered", "allocation", probe.Allocation, "prefix", prefix, "err", err)
			return answer, false
		}
		answer.Results = append(answer.Results, netmodel.ProbeResult{Prefix: prefix, Origins: origins})
		answer.Satisfied = answer.Satisfied && held(asked.Config.Loopback, probe, origins)
	}
	return answer, true
}

// held tells whether a route comes from all origins. A switch that is an origin itself prefers its own machine port to the way
// through the other leaf, so that port is all that can be there.
func held(self netip.Addr, probe netmodel.Probe, origins []netip.Addr) bool {
	if slices.ContainsFunc(probe.Origins, func(o netmodel.ProbeOrigin) bool { return o.Loopback == self }) {
		return slices.Contains(origins, self)
	}
	for _, o := range probe.Origins {
		if !slices.Contains(origins, o.Loopback) {
			return false
		}
	}
	return len(probe.Origins) > 0
}

func (p *Prober) holdersOnSpine(ctx context.Context, _ netip.Addr, probe netmodel.Probe, prefix netip.Prefix) ([]netip.Addr, error) {
	return p.evpn.EVPNOrigins(ctx, probe.VNI, prefix)
}

// holdersOnLeaf reads the kernel. Next hops that are the machine itself stand for this switch.
func (p *Prober) holdersOnLeaf(ctx context.Context, self netip.Addr, probe netmodel.Probe, prefix netip.Prefix) ([]netip.Addr, error) {
	hops, err := p.routes.RouteNextHops(ctx, probe.VRF, prefix)
	if err != nil {
		return nil, err
	}
	isOrigin := slices.ContainsFunc(probe.Origins, func(o netmodel.ProbeOrigin) bool { return o.Loopback == self })
	var origins []netip.Addr
	for _, hop := range hops {
		if isOrigin && hop.IsLinkLocalUnicast() {
			hop = self
		}
		origins = append(origins, hop)
	}
	slices.SortFunc(origins, netip.Addr.Compare)
	return slices.Compact(origins), nil
}
