package fabric

import (
	"context"
	"fmt"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/lab"
)

// provisioningVLAN is local to each leaf, so that all may use the same.
const provisioningVLAN = 4000

// Register tells the control plane of the topology's switches, as an operator would from the cabling plan. Machines are not
// registered: they are discovered.
func Register(ctx context.Context, api *API, inventory lab.Inventory) error {
	leaf := 0
	for _, s := range inventory.Switches {
		req := &apiv1.CreateSwitchRequest{
			RequestId: "lab-register-" + s.Name,
			Id:        s.Name, Rack: s.Rack, Loopback: s.Loopback.String(), Asn: s.ASN,
			Role: apiv1.SwitchRole_SWITCH_ROLE_SPINE,
		}
		for _, p := range s.Ports {
			role := apiv1.PortRole_PORT_ROLE_UPLINK
			if p.Role == lab.RoleMachine {
				role = apiv1.PortRole_PORT_ROLE_MACHINE
			}
			req.Ports = append(req.Ports, &apiv1.SwitchPort{Name: p.Name, Role: role})
		}
		if s.Role == lab.RoleLeaf {
			leaf++
			req.Role = apiv1.SwitchRole_SWITCH_ROLE_LEAF
			req.Provisioning = &apiv1.Provisioning{Vlan: provisioningVLAN, Addresses: []string{ProvisioningAddress(leaf) + "/24"}}
		}
		if _, err := api.Switches.CreateSwitch(ctx, req); err != nil {
			return fmt.Errorf("register switch %s: %w", s.Name, err)
		}
	}
	return nil
}

// ProvisioningAddress is the SVI's address of the n-th leaf, counted from 1, in its own provisioning network.
func ProvisioningAddress(n int) string { return fmt.Sprintf("10.254.%d.1", n) }
