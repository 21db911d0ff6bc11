package api

import (
	"context"
	"net/netip"

	"google.golang.org/grpc"

	"github.com/pointsman/pointsman/controlplane/internal/network"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/wire"
)

type ipServer struct {
	apiv1.UnimplementedIPServiceServer
	networks *network.Service
	all      *collection[*apiv1.IP]
	stopping context.Context
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
	return s.all.changed(addressName(store.Address{Network: ip.Network, Address: ip.Address}), wire.IPToProto(ip), err)
}

func (s ipServer) GetIP(ctx context.Context, req *apiv1.GetIPRequest) (*apiv1.IP, error) {
	a, err := address(req.GetAddress())
	if err != nil {
		return nil, err
	}
	// An address of another project is none of the caller's.
	absent := func() error { _, err := s.networks.GetIP(project(req.GetProject()), req.GetNetwork(), a); return err }
	if err := s.all.store.AtLeast(ctx, "min_resource_version", req.GetMinResourceVersion()); err != nil {
		return nil, err
	}
	if err := absent(); err != nil {
		return nil, err
	}
	return s.all.get(ctx, addressName(store.Address{Network: req.GetNetwork(), Address: a}), "", absent)
}

func (s ipServer) ListIPs(ctx context.Context, req *apiv1.ListIPsRequest) (*apiv1.ListIPsResponse, error) {
	p, err := list(ctx, s.all, req, wantedIPs(req))
	if err != nil {
		return nil, err
	}
	return &apiv1.ListIPsResponse{Ips: p.objects, NextPageToken: p.next, ResourceVersion: p.version}, nil
}

func (s ipServer) WatchIPs(req *apiv1.WatchIPsRequest, stream grpc.ServerStreamingServer[apiv1.WatchIPsResponse]) error {
	return watch(stream.Context(), s.stopping, s.all, req, wantedIPs(req), func(e event[*apiv1.IP]) error {
		return stream.Send(&apiv1.WatchIPsResponse{Type: e.kind, Ip: e.message, ResourceVersion: e.version})
	})
}

func wantedIPs(req interface {
	GetProject() string
	GetNetwork() string
}) func(*apiv1.IP) bool {
	return func(ip *apiv1.IP) bool {
		return ip.GetProject() == project(req.GetProject()) && (req.GetNetwork() == "" || ip.GetNetwork() == req.GetNetwork())
	}
}

func (s ipServer) UpdateIP(ctx context.Context, req *apiv1.UpdateIPRequest) (*apiv1.IP, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	if _, err := masked(req.GetUpdateMask(), &apiv1.IP{}, "description"); err != nil {
		return nil, err
	}
	revision, err := versionOf(s.all.store, req.GetResourceVersion())
	if err != nil {
		return nil, err
	}
	a, err := address(req.GetAddress())
	if err != nil {
		return nil, err
	}
	ip, err := s.networks.DescribeIP(ctx, call, project(req.GetProject()), req.GetNetwork(), a, req.GetDescription(), revision)
	return s.all.changed(addressName(store.Address{Network: ip.Network, Address: ip.Address}), wire.IPToProto(ip), err)
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
