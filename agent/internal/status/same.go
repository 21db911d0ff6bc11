package status

import (
	"reflect"
	"time"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// What follows tells which values say the same. Times tell when something was first seen; an agent that restarts sees it again,
// and rewriting thousands of keys for that would drown what did change.

func samePort(a, b netmodel.PortStatus) bool {
	a.AppliedTime, a.ReceivedTime, b.AppliedTime, b.ReceivedTime = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return a == b
}

// sameSession: FRR tells how long a session is up in whole seconds, so that its beginning wavers.
func sameSession(a, b netmodel.SessionStatus) bool {
	apart := a.EstablishedTime.Sub(b.EstablishedTime).Abs()
	a.EstablishedTime, b.EstablishedTime = time.Time{}, time.Time{}
	return a == b && (apart < 3*time.Second || !a.Established)
}

func sameProbe(a, b netmodel.ProbeStatus) bool {
	a.Time, b.Time = time.Time{}, time.Time{}
	return reflect.DeepEqual(a, b)
}

func sameSwitch(a, b netmodel.SwitchStatus) bool { return reflect.DeepEqual(normal(a), normal(b)) }

// normal makes no difference between an empty list and none: the wire knows none.
func normal(s netmodel.SwitchStatus) netmodel.SwitchStatus {
	if len(s.Drift) == 0 {
		s.Drift = nil
	}
	if len(s.Ports) == 0 {
		s.Ports = nil
	}
	return s
}

func sameDiscovery(a, b netmodel.Discovery) bool {
	if a.Switch != b.Switch || a.Port != b.Port || len(a.Neighbours) != len(b.Neighbours) {
		return false
	}
	for i, x := range a.Neighbours {
		y := b.Neighbours[i]
		x.FirstSeen, y.FirstSeen = time.Time{}, time.Time{}
		if x != y {
			return false
		}
	}
	return true
}
