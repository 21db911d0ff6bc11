package api

import (
	"cmp"
	"context"
	"slices"

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
	all         *collection[*apiv1.Allocation]
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
	return s.all.present(a.Project+"/"+a.ID, wire.AllocationViewToProto(a), err)
}

func attachments(in []*apiv1.Attachment) ([]netmodel.Attachment, error) {
	out, err := wire.AttachmentsFromProto(in)
	if err != nil {
		return nil, store.Refuse(store.Invalid, "%v", err)
	}
	return out, nil
}

func (s allocationServer) GetAllocation(ctx context.Context, req *apiv1.GetAllocationRequest) (*apiv1.Allocation, error) {
	name := store.Named{Project: project(req.GetProject()), ID: req.GetId()}
	return s.all.get(ctx, named(name), req.GetMinResourceVersion(), func() error { _, err := s.allocations.Get(name.Project, name.ID); return err })
}

func (s allocationServer) ListAllocations(ctx context.Context, req *apiv1.ListAllocationsRequest) (*apiv1.ListAllocationsResponse, error) {
	p, err := list(ctx, s.all, req, wantedAllocations(req))
	if err != nil {
		return nil, err
	}
	return &apiv1.ListAllocationsResponse{Allocations: p.objects, NextPageToken: p.next, ResourceVersion: p.version}, nil
}

func (s allocationServer) WatchAllocations(req *apiv1.WatchAllocationsRequest, stream grpc.ServerStreamingServer[apiv1.WatchAllocationsResponse]) error {
	return watch(stream.Context(), s.stopping, s.all, req, wantedAllocations(req), func(e event[*apiv1.Allocation]) error {
		return stream.Send(&apiv1.WatchAllocationsResponse{Type: e.kind, Allocation: e.message, ResourceVersion: e.version})
	})
}

func wantedAllocations(req interface {
	GetProject() string
	GetNetwork() string
}) func(*apiv1.Allocation) bool {
	return func(a *apiv1.Allocation) bool {
		return a.GetProject() == project(req.GetProject()) && (req.GetNetwork() == "" || slices.ContainsFunc(a.GetAttachments(), func(at *apiv1.Attachment) bool {
			return at.GetNetwork() == req.GetNetwork()
		}))
	}
}

// UpdateAllocation moves the machine, or changes the description: one of the two, since a move is a new generation with a receipt
// of its own. A request without a mask moves.
func (s allocationServer) UpdateAllocation(ctx context.Context, req *apiv1.UpdateAllocationRequest) (*apiv1.Allocation, error) {
	call, err := callOf(ctx, req)
	if err != nil {
		return nil, err
	}
	fields := map[string]bool{"attachments": true}
	if len(req.GetUpdateMask().GetPaths()) > 0 {
		if fields, err = masked(req.GetUpdateMask(), &apiv1.Allocation{}, "attachments", "description"); err != nil {
			return nil, err
		}
	}
	if len(fields) > 1 {
		return nil, store.Refuse(store.Invalid, "update_mask: attachments and description are changed one after the other")
	}
	revision, err := versionOf(s.all.store, req.GetResourceVersion())
	if err != nil {
		return nil, err
	}
	a, err := s.update(ctx, call, req, fields, revision)
	return s.all.present(a.Project+"/"+a.ID, wire.AllocationViewToProto(a), err)
}

func (s allocationServer) update(ctx context.Context, call store.Call, req *apiv1.UpdateAllocationRequest, fields map[string]bool, revision int64) (netmodel.AllocationView, error) {
	if fields["description"] {
		return s.allocations.Describe(ctx, call, project(req.GetProject()), req.GetId(), req.GetDescription(), revision)
	}
	to, err := attachments(req.GetAttachments())
	if err != nil {
		return netmodel.AllocationView{}, err
	}
	return s.allocations.Move(ctx, call, project(req.GetProject()), req.GetId(), to, revision)
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

// ListProbes joins questions and answers, as this replica knows them.
func (s allocationServer) ListProbes(_ context.Context, req *apiv1.ListProbesRequest) (*apiv1.ListProbesResponse, error) {
	a, err := s.allocations.Get(project(req.GetProject()), req.GetId())
	if err != nil {
		return nil, err
	}
	out := &apiv1.ListProbesResponse{}
	s.all.store.Read(func(d *store.Data) {
		for at, asked := range d.Probes {
			if at.Allocation != a.ID || asked.Value.Project != a.Project {
				continue
			}
			_, alive := d.Alive[at.Switch]
			probe := &apiv1.Probe{Switch: at.Switch, Alive: alive, Intent: wire.ProbeToProto(asked.Value)}
			if answered, ok := d.ProbeStatuses[at]; ok {
				probe.Status = wire.ProbeStatusToProto(answered.Value)
			}
			out.Probes = append(out.Probes, probe)
		}
	})
	slices.SortFunc(out.Probes, func(a, b *apiv1.Probe) int { return cmp.Compare(a.GetSwitch(), b.GetSwitch()) })
	return out, nil
}
