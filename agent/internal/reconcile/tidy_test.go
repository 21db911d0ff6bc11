package reconcile

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// A port is told before the VRF that it left is taken down, and until then that is drift and no fault.
func TestPortsAreToldBeforeWhatIsTidiedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		stop := b.start(b.sw)
		b.want(inVRF("swp1", 2, 100001))
		synctest.Wait()
		b.mu.Lock()
		b.reports = nil
		b.mu.Unlock()
		b.want(inVRF("swp1", 3, 100002))
		synctest.Wait()
		i := slices.IndexFunc(b.reports, func(r Report) bool { return r.Ports["swp1"].AppliedGeneration == 3 })
		if i < 0 || i == len(b.reports)-1 {
			t.Fatalf("told in report %d of %d", i, len(b.reports))
		}
		first, last := b.reports[i], b.last()
		if p := first.Ports["swp1"]; p.VRF != "Vrf100002" || p.Error != "" || first.LastError != "" {
			t.Errorf("told first: %+v, %q", p, first.LastError)
		}
		if _, there := first.VRFs["Vrf100001"]; !there || !slices.Contains(first.Drift, "delete vrf Vrf100001") {
			t.Errorf("the VRF that it left: %v, drift %q", first.VRFs, first.Drift)
		}
		if _, there := last.VRFs["Vrf100001"]; there || len(last.Drift) > 0 {
			t.Errorf("at last: %v, drift %q", last.VRFs, last.Drift)
		}
		stop()
	})
}

// What a port that failed is still in stays; what another has left goes.
func TestTidyingUpSparesWhatAFailureNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		stop := b.start(b.sw)
		b.want(inVRF("swp1", 2, 100001), inVRF("swp2", 2, 100002))
		synctest.Wait()
		b.sw.FailWhen(func(op plan.Op) error {
			if m, ok := op.(plan.SetMaster); ok && m.Device == "swp1" {
				return errors.New("device or resource busy")
			}
			return nil
		})
		b.want(provisioning("swp1", 3), provisioning("swp2", 3))
		synctest.Wait()
		b.expect("the healthy one", "swp2", 3, netmodel.ModeProvisioning, "")
		if s := b.port("swp1"); s.AppliedGeneration != 2 || !strings.Contains(s.Error, "busy") {
			t.Errorf("the broken one: %+v", s)
		}
		_, stays := b.last().VRFs["Vrf100001"]
		_, goes := b.last().VRFs["Vrf100002"]
		if !stays || goes {
			t.Errorf("VRFs %v", b.last().VRFs)
		}
		stop()
	})
}
