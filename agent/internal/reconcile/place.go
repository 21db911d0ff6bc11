package reconcile

import (
	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Places tells where each port of an observed switch stands, for whoever looks without a loop. What was applied only a loop knows.
func Places(observed plan.State) map[string]netmodel.PortStatus {
	out := map[string]netmodel.PortStatus{}
	for name, p := range observed.Kernel.Ports {
		mode, vrf := placeOf(p, observed.Kernel.VRFs)
		out[name] = netmodel.PortStatus{Port: name, Mode: mode, VRF: vrf, OperUp: p.OperUp}
	}
	return out
}
