package linux

import (
	"strings"
	"time"

	"github.com/pointsman/pointsman/pkg/frr"
)

// Teardown crosses daemons that tell each other late: bgpd keeps an instance until zebra has told it that the VNI went, and zebra a
// VRF until the kernel has told it that the device went. FRR has no way to wait for that, so what it refuses then is asked again.
const (
	settleTries = 100
	settlePause = 20 * time.Millisecond
)

// Configure implements system.Executor.
func (e *executor) Configure(changes []frr.Change) []error {
	errs := e.frr.Apply(e.ctx, changes)
	for try := 0; try < settleTries && e.ctx.Err() == nil; try++ {
		again, places := refusedTeardown(changes, errs)
		if len(again) == 0 {
			break
		}
		time.Sleep(settlePause)
		for i, err := range e.frr.Apply(e.ctx, again) {
			errs[places[i]] = err
		}
	}
	return errs
}

// gone is how bgpd refuses to delete an instance that it no longer has: it had deleted it, and the answer was lost.
const gone = "Can't find BGP instance"

// refusedTeardown returns the removals of instances and VRFs that were refused, and where they stand. What is gone is no error.
func refusedTeardown(changes []frr.Change, errs []error) (again []frr.Change, places []int) {
	for i, c := range changes {
		if errs[i] != nil && c.Stage == frr.StageInstanceRemoval && strings.Contains(errs[i].Error(), gone) {
			errs[i] = nil
		}
		if errs[i] != nil && (c.Stage == frr.StageInstanceRemoval || c.Stage == frr.StageVRFRemoval) {
			again, places = append(again, c), append(places, i)
		}
	}
	return again, places
}
