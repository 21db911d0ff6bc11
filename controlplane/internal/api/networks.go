package api

import (
	"context"

	"github.com/pointsman/pointsman/controlplane/internal/network"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

type networkServer struct {
	apiv1.UnimplementedNetworkServiceServer
	networks *network.Service
}

func (s networkServer) CreateNetwork(ctx context.Context, req *apiv1.CreateNetworkRequest) (*apiv1.Network, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	// The request is a network that lacks only what the control plane chooses: its prefixes and ranges are read as a network's.
	wanted, err := wire.NetworkFromProto(&apiv1.Network{Prefixes: req.GetPrefixes(), Announceable: req.GetAnnounceable()})
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
		Announceable: wanted.Announceable, DefaultIPv4Length: int(req.GetDefaultIpv4Length()), DefaultIPv6Length: int(req.GetDefaultIpv6Length()),
	})
	return answer(n, err, wire.NetworkToProto)
}

func (s networkServer) GetNetwork(_ context.Context, req *apiv1.GetNetworkRequest) (*apiv1.Network, error) {
	n, err := s.networks.Get(project(req.GetProject()), req.GetId())
	return answer(n, err, wire.NetworkToProto)
}

func (s networkServer) ListNetworks(_ context.Context, req *apiv1.ListNetworksRequest) (*apiv1.ListNetworksResponse, error) {
	all := s.networks.List(project(req.GetProject()), wire.NetworkKindFromProto(req.GetKind()))
	return &apiv1.ListNetworksResponse{Networks: messages(all, wire.NetworkToProto)}, nil
}

func (s networkServer) DeleteNetwork(ctx context.Context, req *apiv1.DeleteNetworkRequest) (*apiv1.DeleteNetworkResponse, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	return &apiv1.DeleteNetworkResponse{}, s.networks.Delete(ctx, call, project(req.GetProject()), req.GetId())
}
