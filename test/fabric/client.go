package fabric

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// Project is the project that the lab works in.
const Project = "default"

// API is a client of a control plane.
type API struct {
	conn        *grpc.ClientConn
	Networks    apiv1.NetworkServiceClient
	IPs         apiv1.IPServiceClient
	Machines    apiv1.MachineServiceClient
	Switches    apiv1.SwitchServiceClient
	Allocations apiv1.AllocationServiceClient
}

// Dial makes a client of the control plane at address. It connects when it is used.
func Dial(address string) (*API, error) {
	// A control plane that is being restarted is waited for, until the call's own end.
	retry := backoff.DefaultConfig
	retry.MaxDelay = time.Second
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: 5 * time.Second}))
	if err != nil {
		return nil, fmt.Errorf("dial control plane %s: %w", address, err)
	}
	return &API{
		conn:        conn,
		Networks:    apiv1.NewNetworkServiceClient(conn),
		IPs:         apiv1.NewIPServiceClient(conn),
		Machines:    apiv1.NewMachineServiceClient(conn),
		Switches:    apiv1.NewSwitchServiceClient(conn),
		Allocations: apiv1.NewAllocationServiceClient(conn),
	}, nil
}

// Close ends the connection.
func (a *API) Close() error { return a.conn.Close() }

// CreatePrivateNetwork creates a private network with explicit prefixes.
func (a *API) CreatePrivateNetwork(ctx context.Context, id string, prefixes ...string) (*apiv1.Network, error) {
	return a.Networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{
		Project: Project, Id: id, Kind: apiv1.NetworkKind_NETWORK_KIND_PRIVATE, Prefixes: prefixes,
	})
}

// DeleteNetwork deletes a network once its quarantined addresses let it go.
func (a *API) DeleteNetwork(ctx context.Context, id string) error {
	return Eventually(ctx, 250*time.Millisecond, func() error {
		_, err := a.Networks.DeleteNetwork(ctx, &apiv1.DeleteNetworkRequest{Project: Project, Id: id})
		if status.Code(err) == codes.NotFound {
			return nil
		}
		return err
	})
}

// Allocate allocates a machine in a network: any if machine is empty.
func (a *API) Allocate(ctx context.Context, network, machine string) (*apiv1.Allocation, error) {
	return a.Allocations.CreateAllocation(ctx, &apiv1.CreateAllocationRequest{
		Project: Project, Machine: machine, Attachments: []*apiv1.Attachment{{Network: network}},
	})
}

// Move moves an allocation to another network.
func (a *API) Move(ctx context.Context, allocation, network string) (*apiv1.Allocation, error) {
	return a.Allocations.UpdateAllocation(ctx, &apiv1.UpdateAllocationRequest{
		Project: Project, Id: allocation, Attachments: []*apiv1.Attachment{{Network: network}},
	})
}

// Release releases an allocation; its machine is free once both leaves have proven it.
func (a *API) Release(ctx context.Context, allocation string) error {
	_, err := a.Allocations.DeleteAllocation(ctx, &apiv1.DeleteAllocationRequest{Project: Project, Id: allocation})
	return err
}

// Machine returns a machine as it is seen now.
func (a *API) Machine(ctx context.Context, id string) (*apiv1.Machine, error) {
	return a.Machines.GetMachine(ctx, &apiv1.GetMachineRequest{Id: id})
}

// WaitFree waits until a machine is free.
func (a *API) WaitFree(ctx context.Context, ids ...string) error {
	return Eventually(ctx, 100*time.Millisecond, func() error {
		for _, id := range ids {
			m, err := a.Machine(ctx, id)
			if err != nil {
				return err
			}
			if m.State != apiv1.MachineState_MACHINE_STATE_FREE {
				return fmt.Errorf("machine %s is %v: %s %v", id, m.State, strings.Join(m.Faults, "; "), m.PendingRelease)
			}
		}
		return nil
	})
}

// WaitPhase follows an allocation's receipt until its present generation has reached phase.
func (a *API) WaitPhase(ctx context.Context, allocation string, phase apiv1.Phase) (*apiv1.Receipt, error) {
	stream, err := a.Allocations.WatchReceipt(ctx, &apiv1.WatchReceiptRequest{Project: Project, Id: allocation})
	if err != nil {
		return nil, err
	}
	var last *apiv1.Receipt
	for {
		receipt, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return last, fmt.Errorf("wait for %v of %s: the control plane ended the stream at %s", phase, allocation, Describe(last))
		}
		if err != nil {
			return last, fmt.Errorf("wait for %v of %s: %w; last seen: %s", phase, allocation, err, Describe(last))
		}
		last = receipt
		if slices.ContainsFunc(receipt.Phases, func(s *apiv1.PhaseStamp) bool { return s.Phase == phase }) {
			return receipt, nil
		}
	}
}

// Describe is a receipt in one line.
func Describe(r *apiv1.Receipt) string {
	if r == nil {
		return "no receipt"
	}
	var parts []string
	for _, s := range r.Phases {
		name := strings.ToLower(strings.TrimPrefix(s.Phase.String(), "PHASE_"))
		parts = append(parts, fmt.Sprintf("%s +%.0f ms", name, s.ElapsedMs))
	}
	text := fmt.Sprintf("generation %d: %s", r.Generation, strings.Join(parts, ", "))
	if r.Degraded {
		text += "; degraded without " + strings.Join(r.MissingSwitches, ", ")
	}
	if len(r.WaitingFor) > 0 {
		text += "; waiting for: " + strings.Join(r.WaitingFor, "; ")
	}
	return text
}

// Eventually repeats try until it succeeds or ctx ends, and returns its last error then.
func Eventually(ctx context.Context, every time.Duration, try func() error) error {
	var why error
	for {
		err := try()
		if err == nil {
			return nil
		}
		// A try that is cut off by the deadline says nothing of what is missing; the one before did.
		if why == nil || ctx.Err() == nil {
			why = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", why, ctx.Err())
		case <-time.After(every):
		}
	}
}
