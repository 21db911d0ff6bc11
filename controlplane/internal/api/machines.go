package api

import (
	"context"

	"google.golang.org/grpc"

	"github.com/pointsman/pointsman/controlplane/internal/inventory"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/wire"
)

type machineServer struct {
	apiv1.UnimplementedMachineServiceServer
	inventory *inventory.Service
	all       *collection[*apiv1.Machine]
	stopping  context.Context
}

func (s machineServer) GetMachine(ctx context.Context, req *apiv1.GetMachineRequest) (*apiv1.Machine, error) {
	return s.all.get(ctx, req.GetId(), req.GetMinResourceVersion(), func() error { _, err := s.inventory.GetMachine(req.GetId()); return err })
}

func (s machineServer) ListMachines(ctx context.Context, req *apiv1.ListMachinesRequest) (*apiv1.ListMachinesResponse, error) {
	p, err := list(ctx, s.all, req, wantedMachines(req))
	if err != nil {
		return nil, err
	}
	return &apiv1.ListMachinesResponse{Machines: p.objects, NextPageToken: p.next, ResourceVersion: p.version}, nil
}

func (s machineServer) WatchMachines(req *apiv1.WatchMachinesRequest, stream grpc.ServerStreamingServer[apiv1.WatchMachinesResponse]) error {
	return watch(stream.Context(), s.stopping, s.all, req, wantedMachines(req), func(e event[*apiv1.Machine]) error {
		return stream.Send(&apiv1.WatchMachinesResponse{Type: e.kind, Machine: e.message, ResourceVersion: e.version})
	})
}

func wantedMachines(req interface {
	GetState() apiv1.MachineState
	GetRack() string
}) func(*apiv1.Machine) bool {
	return func(m *apiv1.Machine) bool {
		return (req.GetState() == 0 || m.GetState() == req.GetState()) && (req.GetRack() == "" || m.GetRack() == req.GetRack())
	}
}

func (s machineServer) AdoptMachine(ctx context.Context, req *apiv1.AdoptMachineRequest) (*apiv1.Machine, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	m, err := s.inventory.AdoptMachine(ctx, call, inventory.Adoption{
		ID: req.GetId(), SystemUUID: req.GetSystemUuid(), ChassisMAC: req.GetChassisMac(), PortMACs: req.GetPortMacs(), Description: req.GetDescription(),
		Labels: req.GetLabels(),
	})
	return s.all.present(m.ID, wire.MachineViewToProto(m), err)
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
	return s.all.present(m.ID, wire.MachineViewToProto(m), err)
}

func (s machineServer) UpdateMachine(ctx context.Context, req *apiv1.UpdateMachineRequest) (*apiv1.Machine, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	fields, err := masked(req.GetUpdateMask(), &apiv1.Machine{}, "description", "labels")
	if err != nil {
		return nil, err
	}
	revision, err := versionOf(s.all.store, req.GetResourceVersion())
	if err != nil {
		return nil, err
	}
	m, err := s.inventory.UpdateMachine(ctx, call, inventory.MachineUpdate{
		ID: req.GetId(), Description: given(fields, "description", req.GetDescription()), Labels: given(fields, "labels", req.GetLabels()), Revision: revision,
	})
	return s.all.present(m.ID, wire.MachineViewToProto(m), err)
}

func (s machineServer) DeleteMachine(ctx context.Context, req *apiv1.DeleteMachineRequest) (*apiv1.DeleteMachineResponse, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	return &apiv1.DeleteMachineResponse{}, s.inventory.DeleteMachine(ctx, call, req.GetId())
}
