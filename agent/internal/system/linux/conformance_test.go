package linux

import (
	"testing"

	"github.com/pointsman/pointsman/agent/internal/system/conformance"
	"github.com/pointsman/pointsman/agent/internal/system/conformance/kernelbench"
)

// TestConformance runs the suite on a real kernel with real FRR.
func TestConformance(t *testing.T) { conformance.Run(t, bench{}) }

type bench struct{}

// Stride implements conformance.Bench.
func (bench) Stride() int { return 1 }

// Fresh implements conformance.Bench.
func (bench) Fresh(t *testing.T) conformance.Switch {
	return kernelbench.New(t, func(s *kernelbench.Switch) (kernelbench.Backend, error) {
		return New(Options{FRR: s.Client, Management: kernelbench.Management})
	})
}
