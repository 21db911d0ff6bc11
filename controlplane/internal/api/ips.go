package api

import (
	"context"
	"net/netip"

	"github.com/pointsman/pointsman/controlplane/internal/network"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/wire"
)

type ipServer struct {
	apiv1.UnimplementedIPServiceServer
	networks *network.Service
}

var ipFamilies = map[apiv1.IPFamily]network.Family{
	apiv1.IPFamily_IP_FAMILY_UNSPECIFIED: network.AnyFamily,
	apiv1.IPFamily_IP_FAMILY_IPV4:        network.IPv4,
	apiv1.IPFamily_IP_FAMILY_IPV6:        network.IPv6,
}

// address reads an address in the one form that is stored: no IPv4 in IPv6's clothes, no zone.
func address(s string) (netip.Addr, error) {
	if s == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, store.Refuse(store.Invalid, "address: %q is no address", s)
	}
	return a.Unmap(), nil
}

func (s ipServer) CreateIP(ctx context.Context, req *apiv1.CreateIPRequest) (*apiv1.IP, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	a, err := address(req.GetAddress())
	if err != nil {
		return nil, err
	}
	ip, err := s.networks.CreateIP(ctx, call, network.IPRequest{
		Project: project(req.GetProject()), Network: req.GetNetwork(), Address: a, Family: ipFamilies[req.GetFamily()], Description: req.GetDescription(),
	})
	return answer(ip, err, wire.IPToProto)
}

func (s ipServer) GetIP(_ context.Context, req *apiv1.GetIPRequest) (*apiv1.IP, error) {
	a, err := address(req.GetAddress())
	if err != nil {
		return nil, err
	}
	ip, err := s.networks.GetIP(project(req.GetProject()), req.GetNetwork(), a)
	return answer(ip, err, wire.IPToProto)
}

func (s ipServer) ListIPs(_ context.Context, req *apiv1.ListIPsRequest) (*apiv1.ListIPsResponse, error) {
	return &apiv1.ListIPsResponse{Ips: messages(s.networks.ListIPs(project(req.GetProject()), req.GetNetwork()), wire.IPToProto)}, nil
}

func (s ipServer) DeleteIP(ctx context.Context, req *apiv1.DeleteIPRequest) (*apiv1.DeleteIPResponse, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	a, err := address(req.GetAddress())
	if err != nil {
		return nil, err
	}
	return &apiv1.DeleteIPResponse{}, s.networks.DeleteIP(ctx, call, project(req.GetProject()), req.GetNetwork(), a)
}
