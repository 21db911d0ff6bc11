package api

import (
	"context"

	"github.com/pointsman/pointsman/controlplane/internal/inventory"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/wire"
)

type machineServer struct {
	apiv1.UnimplementedMachineServiceServer
	inventory *inventory.Service
}

func (s machineServer) GetMachine(_ context.Context, req *apiv1.GetMachineRequest) (*apiv1.Machine, error) {
	m, err := s.inventory.GetMachine(req.GetId())
	return answer(m, err, wire.MachineViewToProto)
}

func (s machineServer) ListMachines(_ context.Context, req *apiv1.ListMachinesRequest) (*apiv1.ListMachinesResponse, error) {
	all := s.inventory.ListMachines(wire.MachineStateFromProto(req.GetState()), req.GetRack())
	return &apiv1.ListMachinesResponse{Machines: messages(all, wire.MachineViewToProto)}, nil
}

func (s machineServer) AdoptMachine(ctx context.Context, req *apiv1.AdoptMachineRequest) (*apiv1.Machine, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	m, err := s.inventory.AdoptMachine(ctx, call, inventory.Adoption{
		ID: req.GetId(), SystemUUID: req.GetSystemUuid(), ChassisMAC: req.GetChassisMac(), PortMACs: req.GetPortMacs(), Description: req.GetDescription(),
	})
	return answer(m, err, wire.MachineViewToProto)
}

func (s machineServer) GetMachineConfig(_ context.Context, req *apiv1.GetMachineConfigRequest) (*apiv1.MachineConfig, error) {
	c, err := s.inventory.MachineConfig(req.GetId())
	return answer(c, err, wire.MachineConfigToProto)
}

func (s machineServer) OverrideMachineRelease(ctx context.Context, req *apiv1.OverrideMachineReleaseRequest) (*apiv1.Machine, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	call.Reason = req.GetReason()
	m, err := s.inventory.OverrideRelease(ctx, call, req.GetId())
	return answer(m, err, wire.MachineViewToProto)
}

func (s machineServer) DeleteMachine(ctx context.Context, req *apiv1.DeleteMachineRequest) (*apiv1.DeleteMachineResponse, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	return &apiv1.DeleteMachineResponse{}, s.inventory.DeleteMachine(ctx, call, req.GetId())
}
