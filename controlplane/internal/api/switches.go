package api

import (
	"context"

	"google.golang.org/grpc"

	"github.com/pointsman/pointsman/controlplane/internal/inventory"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

type switchServer struct {
	apiv1.UnimplementedSwitchServiceServer
	inventory *inventory.Service
	all       *collection[*apiv1.Switch]
	stopping  context.Context
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
	wanted.Ports = inProjects(wanted.Ports)
	sw, err := s.inventory.CreateSwitch(ctx, call, wanted)
	return s.all.present(sw.ID, wire.SwitchViewToProto(sw), err)
}

func (s switchServer) GetSwitch(ctx context.Context, req *apiv1.GetSwitchRequest) (*apiv1.Switch, error) {
	return s.all.get(ctx, req.GetId(), req.GetMinResourceVersion(), func() error { _, err := s.inventory.GetSwitch(req.GetId()); return err })
}

func (s switchServer) ListSwitches(ctx context.Context, req *apiv1.ListSwitchesRequest) (*apiv1.ListSwitchesResponse, error) {
	p, err := list(ctx, s.all, req, wantedSwitches(req))
	if err != nil {
		return nil, err
	}
	return &apiv1.ListSwitchesResponse{Switches: p.objects, NextPageToken: p.next, ResourceVersion: p.version}, nil
}

func (s switchServer) WatchSwitches(req *apiv1.WatchSwitchesRequest, stream grpc.ServerStreamingServer[apiv1.WatchSwitchesResponse]) error {
	return watch(stream.Context(), s.stopping, s.all, req, wantedSwitches(req), func(e event[*apiv1.Switch]) error {
		return stream.Send(&apiv1.WatchSwitchesResponse{Type: e.kind, Switch: e.message, ResourceVersion: e.version})
	})
}

func wantedSwitches(req interface {
	GetRole() apiv1.SwitchRole
	GetRack() string
}) func(*apiv1.Switch) bool {
	return func(sw *apiv1.Switch) bool {
		return (req.GetRole() == 0 || sw.GetRole() == req.GetRole()) && (req.GetRack() == "" || sw.GetRack() == req.GetRack())
	}
}

func (s switchServer) UpdateSwitch(ctx context.Context, req *apiv1.UpdateSwitchRequest) (*apiv1.Switch, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	fields, err := masked(req.GetUpdateMask(), &apiv1.Switch{}, "description", "ports", "mtu")
	if err != nil {
		return nil, err
	}
	revision, err := versionOf(s.all.store, req.GetResourceVersion())
	if err != nil {
		return nil, err
	}
	update := inventory.SwitchUpdate{
		ID: req.GetId(), Description: given(fields, "description", req.GetDescription()), Ports: given(fields, "ports", inProjects(wire.SwitchPortsFromProto(req.GetPorts()))),
		MTU: given(fields, "mtu", int(req.GetMtu())), Revision: revision,
	}
	sw, err := s.inventory.UpdateSwitch(ctx, call, update)
	return s.all.present(sw.ID, wire.SwitchViewToProto(sw), err)
}

// inProjects names the project of each network that is given routes from outside.
func inProjects(ports []netmodel.SwitchPort) []netmodel.SwitchPort {
	for i, p := range ports {
		if p.External.Network != "" {
			ports[i].External.Project = project(p.External.Project)
		}
	}
	return ports
}

func (s switchServer) DeleteSwitch(ctx context.Context, req *apiv1.DeleteSwitchRequest) (*apiv1.DeleteSwitchResponse, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	return &apiv1.DeleteSwitchResponse{}, s.inventory.DeleteSwitch(ctx, call, req.GetId())
}
