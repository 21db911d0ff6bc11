package api

import (
	"context"

	"google.golang.org/grpc"

	"github.com/pointsman/pointsman/controlplane/internal/network"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

type networkServer struct {
	apiv1.UnimplementedNetworkServiceServer
	networks *network.Service
	all      *collection[*apiv1.Network]
	stopping context.Context
}

func (s networkServer) CreateNetwork(ctx context.Context, req *apiv1.CreateNetworkRequest) (*apiv1.Network, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	// The request is a network that lacks only what the control plane chooses: its prefixes and ranges are read as a network's.
	wanted, err := wire.NetworkFromProto(&apiv1.Network{Prefixes: req.GetPrefixes(), Announceable: req.GetAnnounceable(), Destinations: req.GetDestinations()})
	if err != nil {
		return nil, store.Refuse(store.Invalid, "%v", err)
	}
	kind := wire.NetworkKindFromProto(req.GetKind())
	if kind == "" {
		kind = netmodel.NetworkPrivate
	}
	n, err := s.networks.Create(ctx, call, network.CreateRequest{
		Project: project(req.GetProject()), ID: req.GetId(), Kind: kind, Description: req.GetDescription(),
		Prefixes: wanted.Prefixes, Pool: req.GetPool(), IPv4Length: int(req.GetIpv4Length()), IPv6Length: int(req.GetIpv6Length()),
		Labels: req.GetLabels(), Announceable: wanted.Announceable, Destinations: wanted.Destinations, DefaultIPv4Length: int(req.GetDefaultIpv4Length()), DefaultIPv6Length: int(req.GetDefaultIpv6Length()),
	})
	return s.all.changed(n.Project+"/"+n.ID, wire.NetworkToProto(n), err)
}

func (s networkServer) GetNetwork(ctx context.Context, req *apiv1.GetNetworkRequest) (*apiv1.Network, error) {
	name := store.Named{Project: project(req.GetProject()), ID: req.GetId()}
	return s.all.get(ctx, named(name), req.GetMinResourceVersion(), func() error {
		_, err := s.networks.Get(name.Project, name.ID)
		return err
	})
}

func (s networkServer) ListNetworks(ctx context.Context, req *apiv1.ListNetworksRequest) (*apiv1.ListNetworksResponse, error) {
	p, err := list(ctx, s.all, req, wantedNetworks(req))
	if err != nil {
		return nil, err
	}
	return &apiv1.ListNetworksResponse{Networks: p.objects, NextPageToken: p.next, ResourceVersion: p.version}, nil
}

func (s networkServer) WatchNetworks(req *apiv1.WatchNetworksRequest, stream grpc.ServerStreamingServer[apiv1.WatchNetworksResponse]) error {
	return watch(stream.Context(), s.stopping, s.all, req, wantedNetworks(req), func(e event[*apiv1.Network]) error {
		return stream.Send(&apiv1.WatchNetworksResponse{Type: e.kind, Network: e.message, ResourceVersion: e.version})
	})
}

func wantedNetworks(req interface {
	GetProject() string
	GetKind() apiv1.NetworkKind
}) func(*apiv1.Network) bool {
	return func(n *apiv1.Network) bool {
		return n.GetProject() == project(req.GetProject()) && (req.GetKind() == 0 || n.GetKind() == req.GetKind())
	}
}

func (s networkServer) UpdateNetwork(ctx context.Context, req *apiv1.UpdateNetworkRequest) (*apiv1.Network, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	fields, err := masked(req.GetUpdateMask(), &apiv1.Network{}, "description", "announceable", "destinations", "labels")
	if err != nil {
		return nil, err
	}
	revision, err := versionOf(s.all.store, req.GetResourceVersion())
	if err != nil {
		return nil, err
	}
	wanted, err := wire.NetworkFromProto(&apiv1.Network{Announceable: req.GetAnnounceable(), Destinations: req.GetDestinations()})
	if err != nil {
		return nil, store.Refuse(store.Invalid, "%v", err)
	}
	n, err := s.networks.Update(ctx, call, network.Update{
		Project: project(req.GetProject()), ID: req.GetId(), Description: given(fields, "description", req.GetDescription()),
		Announceable: given(fields, "announceable", wanted.Announceable), Destinations: given(fields, "destinations", wanted.Destinations), Labels: given(fields, "labels", req.GetLabels()), Revision: revision,
	})
	return s.all.changed(n.Project+"/"+n.ID, wire.NetworkToProto(n), err)
}

func (s networkServer) DeleteNetwork(ctx context.Context, req *apiv1.DeleteNetworkRequest) (*apiv1.DeleteNetworkResponse, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	return &apiv1.DeleteNetworkResponse{}, s.networks.Delete(ctx, call, project(req.GetProject()), req.GetId())
}
