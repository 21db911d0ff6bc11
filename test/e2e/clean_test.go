package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/fabric"
	"github.com/pointsman/pointsman/test/lab"
)

// assertClean asserts that a script left nothing: no allocation, every machine free, every switch alive and without drift, and
// no tenant's VRF on any.
func assertClean(ctx context.Context, t *testing.T, f *fabric.Fabric) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := fabric.Eventually(ctx, 250*time.Millisecond, func() error {
		allocations, err := f.API.Allocations.ListAllocations(ctx, &apiv1.ListAllocationsRequest{Project: fabric.Project})
		if err != nil {
			return err
		}
		if len(allocations.Allocations) > 0 {
			return fmt.Errorf("allocation %s is left", allocations.Allocations[0].Id)
		}
		switches, err := f.API.Switches.ListSwitches(ctx, &apiv1.ListSwitchesRequest{})
		if err != nil {
			return err
		}
		for _, s := range switches.Switches {
			if !s.Alive || s.Status.GetState() != apiv1.AgentState_AGENT_STATE_FOLLOWING || len(s.Status.GetDrift()) > 0 {
				return fmt.Errorf("switch %s: alive %v, %v", s.Id, s.Alive, s.Status)
			}
		}
		return f.API.WaitFree(ctx, f.MachineNames()...)
	})
	if err != nil {
		t.Errorf("the script left the fabric unclean: %v", err)
	}
	// A port is proven released before the VRF that it left is taken down.
	err = fabric.Eventually(ctx, 250*time.Millisecond, func() error { return noTenants(ctx, t, f) })
	if err != nil {
		t.Errorf("the script left the fabric unclean: %v", err)
	}
}

// tenantSwitches are those that may have tenants' VRFs.
func tenantSwitches(f *fabric.Fabric) []string {
	return append(f.SwitchNames(lab.RoleLeaf), f.SwitchNames(lab.RoleBorder)...)
}

// infrastructureVRFs are those that a switch has without tenants; SONiC wants VRFs named Vrf….
var infrastructureVRFs = []string{"mgmt", "provision", "Vrfprovision"}

// noTenants says which leaf or border still has a tenant's device.
func noTenants(ctx context.Context, t *testing.T, f *fabric.Fabric) error {
	t.Helper()
	for _, leaf := range tenantSwitches(f) {
		links := sh(ctx, t, f, leaf, "ip -br link show type vrf; ip -br link show type vxlan")
		for line := range strings.Lines(links) {
			if name := strings.Fields(line)[0]; !slices.Contains(infrastructureVRFs, name) {
				return fmt.Errorf("%s is left on %s", name, leaf)
			}
		}
	}
	return nil
}
