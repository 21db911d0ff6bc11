package linux

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

const (
	// sviGrace is how long zebra may need to hear of an SVI.
	sviGrace = 500 * time.Millisecond
	// sviRest is between looks while nothing changes.
	sviRest = 10 * time.Second
	// sviAgain is how long an SVI is left alone that was set down and up to no avail: to do it more often would only cost its tenant more.
	sviAgain = time.Minute
)

// KeepSVIs sees to it until ctx ends that FRR routes into each VNI by that VNI's own SVI. On a VLAN-aware bridge FRR 10.3 takes an SVI that
// comes or goes while its VLAN has no VNI for that of whichever VNI the bridge has (FRR issue 23028): that tenant's routes then lead into another's VRF,
// or nowhere. The planner's order avoids it, but SONiC has one of its own, and so have operators. An SVI that goes down and up is taken for what it
// is. That costs its tenant a moment on this switch.
func (s *System) KeepSVIs(ctx context.Context, taken func(context.Context) (map[netmodel.VNI]string, error)) {
	wake := s.routesChanged(ctx)
	var before map[netmodel.VNI]string
	bounced := map[netmodel.VNI]time.Time{}
	for {
		wrong, err := mistakenSVIs(ctx, taken)
		if err != nil && ctx.Err() == nil {
			s.log.Debug("look for VNIs with another's SVI", "err", err) // FRR is away, and looked at again
		}
		maps.DeleteFunc(bounced, func(vni netmodel.VNI, _ time.Time) bool { return wrong[vni] == "" }) // it helped
		for vni, svi := range wrong {
			if before[vni] != svi || time.Since(bounced[vni]) < sviAgain {
				continue
			}
			bounced[vni] = time.Now()
			s.log.Warn("FRR routes into a VNI by another device than its SVI: the SVI goes down and up", "vni", vni, "svi", svi)
			if err := bounceLink(svi); err != nil {
				s.log.Warn("set an SVI down and up", "svi", svi, "err", err)
			}
			delete(wrong, vni)
		}
		before = wrong
		wait := sviRest
		if len(wrong) > 0 {
			wait = sviGrace
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		case <-wake:
			if !pause(ctx, sviGrace) {
				return
			}
		}
	}
}

// mistakenSVIs are the VNIs into which FRR routes by another device than their SVI, and that SVI.
func mistakenSVIs(ctx context.Context, taken func(context.Context) (map[netmodel.VNI]string, error)) (map[netmodel.VNI]string, error) {
	has, err := taken(ctx)
	if err != nil || len(has) == 0 {
		return nil, err
	}
	should, err := tunnelSVIs()
	if err != nil {
		return nil, err
	}
	wrong := map[netmodel.VNI]string{}
	for vni, svi := range should {
		if device, known := has[vni]; known && device != svi {
			wrong[vni] = svi
		}
	}
	return wrong, nil
}

// tunnelSVIs are the SVIs of VNIs in the kernel, where both are up and the SVI is in a VRF.
func tunnelSVIs() (map[netmodel.VNI]string, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	members, err := netlink.BridgeVlanList()
	if err != nil {
		return nil, fmt.Errorf("list bridge VLANs: %w", err)
	}
	ready := map[string]bool{}
	for _, l := range links {
		ready[l.Attrs().Name] = l.Attrs().OperState == netlink.OperUp && l.Attrs().MasterIndex != 0
	}
	svis := map[netmodel.VNI]string{}
	for _, l := range links {
		vxlan, ok := l.(*netlink.Vxlan)
		if !ok || vxlan.OperState == netlink.OperDown {
			continue
		}
		for _, v := range members[int32(vxlan.Index)] {
			if svi := plan.SVIName(v.Vid); v.PortVID() && ready[svi] {
				svis[netmodel.VNI(vxlan.VxlanId)] = svi
			}
		}
	}
	return svis, nil
}

func bounceLink(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find %s: %w", name, err)
	}
	if err := netlink.LinkSetDown(l); err != nil {
		return fmt.Errorf("set %s down: %w", name, err)
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}
