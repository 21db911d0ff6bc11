package api

import (
	"context"

	"google.golang.org/grpc"

	"github.com/pointsman/pointsman/controlplane/internal/allocate"
	"github.com/pointsman/pointsman/controlplane/internal/receipt"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

type allocationServer struct {
	apiv1.UnimplementedAllocationServiceServer
	allocations *allocate.Service
	receipts    *receipt.Service
	stopping    context.Context
}

func (s allocationServer) CreateAllocation(ctx context.Context, req *apiv1.CreateAllocationRequest) (*apiv1.Allocation, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	to, err := attachments(req.GetAttachments())
	if err != nil {
		return nil, err
	}
	a, err := s.allocations.Create(ctx, call, allocate.Request{
		Project: project(req.GetProject()), ID: req.GetId(), Machine: req.GetMachine(), Rack: req.GetRack(), Attachments: to,
		Hostname: req.GetHostname(), Description: req.GetDescription(),
	})
	return answer(a, err, wire.AllocationViewToProto)
}

func attachments(in []*apiv1.Attachment) ([]netmodel.Attachment, error) {
	out, err := wire.AttachmentsFromProto(in)
	if err != nil {
		return nil, store.Refuse(store.Invalid, "%v", err)
	}
	return out, nil
}

func (s allocationServer) GetAllocation(_ context.Context, req *apiv1.GetAllocationRequest) (*apiv1.Allocation, error) {
	a, err := s.allocations.Get(project(req.GetProject()), req.GetId())
	return answer(a, err, wire.AllocationViewToProto)
}

func (s allocationServer) ListAllocations(_ context.Context, req *apiv1.ListAllocationsRequest) (*apiv1.ListAllocationsResponse, error) {
	all := s.allocations.List(project(req.GetProject()), req.GetNetwork())
	return &apiv1.ListAllocationsResponse{Allocations: messages(all, wire.AllocationViewToProto)}, nil
}

func (s allocationServer) UpdateAllocation(ctx context.Context, req *apiv1.UpdateAllocationRequest) (*apiv1.Allocation, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	to, err := attachments(req.GetAttachments())
	if err != nil {
		return nil, err
	}
	a, err := s.allocations.Move(ctx, call, project(req.GetProject()), req.GetId(), to)
	return answer(a, err, wire.AllocationViewToProto)
}

func (s allocationServer) DeleteAllocation(ctx context.Context, req *apiv1.DeleteAllocationRequest) (*apiv1.DeleteAllocationResponse, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	pending, err := s.allocations.Release(ctx, call, project(req.GetProject()), req.GetId())
	return answer(pending, err, func(p []netmodel.PendingRelease) *apiv1.DeleteAllocationResponse {
		return &apiv1.DeleteAllocationResponse{PendingRelease: wire.PendingReleaseToProto(p)}
	})
}

// WatchReceipt ends with the server: who watches comes back to the next one, and a stop does not wait for them.
func (s allocationServer) WatchReceipt(req *apiv1.WatchReceiptRequest, stream grpc.ServerStreamingServer[apiv1.Receipt]) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	err := s.receipts.Watch(ctx, project(req.GetProject()), req.GetId(), req.GetFollow(), func(r netmodel.ReceiptView) error {
		return stream.Send(wire.ReceiptViewToProto(r))
	})
	if err != nil && s.stopping.Err() != nil {
		return errStopping
	}
	return err
}
