package fabric

import (
	"context"
	"fmt"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/lab"
)

// ExternalNetwork is the network that borders are registered for, in Project: it has the outside once somebody creates it.
const ExternalNetwork = "internet"

// ExternalMaximumPrefix is how many routes a border takes from outside.
const ExternalMaximumPrefix = 20

func switchPort(p lab.Port) *apiv1.SwitchPort {
	port := &apiv1.SwitchPort{Name: p.Name, Role: apiv1.PortRole_PORT_ROLE_UPLINK}
	switch p.Role {
	case lab.RoleMachine:
		port.Role = apiv1.PortRole_PORT_ROLE_MACHINE
	case lab.RoleExternal:
		port.Role = apiv1.PortRole_PORT_ROLE_EXTERNAL
		port.External = &apiv1.ExternalPeer{Project: Project, Network: ExternalNetwork, Asn: lab.OutsideASN, MaximumPrefix: ExternalMaximumPrefix}
	}
	return port
}

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
			req.Ports = append(req.Ports, switchPort(p))
		}
		switch s.Role {
		case lab.RoleBorder:
			req.Role = apiv1.SwitchRole_SWITCH_ROLE_BORDER
		case lab.RoleLeaf:
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
