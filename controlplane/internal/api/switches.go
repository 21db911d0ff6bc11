package api

import (
	"context"

	"github.com/pointsman/pointsman/controlplane/internal/inventory"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/wire"
)

type switchServer struct {
	apiv1.UnimplementedSwitchServiceServer
	inventory *inventory.Service
}

func (s switchServer) CreateSwitch(ctx context.Context, req *apiv1.CreateSwitchRequest) (*apiv1.Switch, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	wanted, err := wire.SwitchFromProto(&apiv1.Switch{
		Id: req.GetId(), Role: req.GetRole(), Rack: req.GetRack(), Loopback: req.GetLoopback(), Asn: req.GetAsn(), Ports: req.GetPorts(),
		Provisioning: req.GetProvisioning(), Mtu: req.GetMtu(), Description: req.GetDescription(),
	})
	if err != nil {
		return nil, store.Refuse(store.Invalid, "%v", err)
	}
	sw, err := s.inventory.CreateSwitch(ctx, call, wanted)
	return answer(sw, err, wire.SwitchViewToProto)
}

func (s switchServer) GetSwitch(_ context.Context, req *apiv1.GetSwitchRequest) (*apiv1.Switch, error) {
	sw, err := s.inventory.GetSwitch(req.GetId())
	return answer(sw, err, wire.SwitchViewToProto)
}

func (s switchServer) ListSwitches(_ context.Context, req *apiv1.ListSwitchesRequest) (*apiv1.ListSwitchesResponse, error) {
	all := s.inventory.ListSwitches(wire.SwitchRoleFromProto(req.GetRole()), req.GetRack())
	return &apiv1.ListSwitchesResponse{Switches: messages(all, wire.SwitchViewToProto)}, nil
}

func (s switchServer) UpdateSwitch(ctx context.Context, req *apiv1.UpdateSwitchRequest) (*apiv1.Switch, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	update := inventory.SwitchUpdate{ID: req.GetId()}
	for _, field := range req.GetUpdateMask().GetPaths() {
		switch field {
		case "description":
			update.Description = &req.Description
		case "ports":
			ports := wire.SwitchPortsFromProto(req.GetPorts())
			update.Ports = &ports
		case "mtu":
			mtu := int(req.GetMtu())
			update.MTU = &mtu
		}
	}
	sw, err := s.inventory.UpdateSwitch(ctx, call, update)
	return answer(sw, err, wire.SwitchViewToProto)
}

func (s switchServer) DeleteSwitch(ctx context.Context, req *apiv1.DeleteSwitchRequest) (*apiv1.DeleteSwitchResponse, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	return &apiv1.DeleteSwitchResponse{}, s.inventory.DeleteSwitch(ctx, call, req.GetId())
}
