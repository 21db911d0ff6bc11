package plan_test

import (
	"fmt"
	"testing"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/memory"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// BenchmarkConverged is what an idle pass costs beside observing: 64 ports, each in a VRF of its own.
func BenchmarkConverged(b *testing.B) {
	intent := leafIntent()
	intent.Config.Ports, intent.Ports = nil, map[string]netmodel.PortIntent{}
	var ports []string
	for i := range 64 {
		name := fmt.Sprintf("swp%d", i+1)
		ports = append(ports, name)
		intent.Config.Ports = append(intent.Config.Ports, netmodel.SwitchPort{Name: name, Role: netmodel.PortMachine})
		intent.Ports[name] = tenantPort(name, 104001+netmodel.VNI(i), byte(i+1))
	}
	s, stored := memory.New("leaf1", ports...), plan.Assignments{}
	pass(b, s, intent, &stored, -1)
	observed, _ := s.Observe(b.Context())
	facts, _ := s.Facts(b.Context())
	for b.Loop() {
		want, _, _, err := plan.Desired(intent, facts.Observing(observed, stored))
		if err != nil {
			b.Fatal(err)
		}
		if ops := plan.Diff(observed, want); len(ops) > 0 {
			b.Fatal(ops)
		}
	}
}
