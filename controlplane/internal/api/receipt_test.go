package api_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

type receipts = grpc.ServerStreamingClient[apiv1.Receipt]

func last(r *apiv1.Receipt) apiv1.Phase {
	phases := r.GetPhases()
	if len(phases) == 0 {
		return apiv1.Phase_PHASE_UNSPECIFIED
	}
	return phases[len(phases)-1].GetPhase()
}

// until reads receipts until one has reached a phase.
func until(t *testing.T, stream receipts, phase apiv1.Phase) *apiv1.Receipt {
	t.Helper()
	for {
		r, err := stream.Recv()
		if err != nil {
			t.Fatalf("waiting for %s: %v", phase, err)
		}
		if last(r) == phase {
			return r
		}
	}
}

// TestReceiptIsFollowedToReachable: phases come in order, their times do not go back, and the stream ends by itself.
func TestReceiptIsFollowedToReachable(t *testing.T) {
	f := startFabric(t)
	must(t)(f.allocations.CreateAllocation(t.Context(), allocationOf("web1", "machine01")))
	stream, err := f.allocations.WatchReceipt(t.Context(), &apiv1.WatchReceiptRequest{Id: "web1"})
	if err != nil {
		t.Fatal(err)
	}
	reached := apiv1.Phase_PHASE_UNSPECIFIED
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if last(r) < reached {
			t.Errorf("after %s comes %s", reached, last(r))
		}
		reached = last(r)
		elapsed := 0.0
		for i, s := range r.GetPhases() {
			if s.GetPhase() != apiv1.Phase(i+1) || s.GetElapsedMs() < elapsed {
				t.Errorf("phases are not in order: %v", r)
			}
			elapsed = s.GetElapsedMs()
		}
	}
	if reached != apiv1.Phase_PHASE_REACHABLE {
		t.Errorf("the stream ended at %s", reached)
	}
}

// TestReceiptSaysWhatItWaitsFor: a leaf that does not answer is named, and the receipt goes on when it does.
func TestReceiptSaysWhatItWaitsFor(t *testing.T) {
	f := startFabric(t)
	f.switches["leaf02"].Silence()
	must(t)(f.allocations.CreateAllocation(t.Context(), allocationOf("web1", "machine01")))
	stream, err := f.allocations.WatchReceipt(t.Context(), &apiv1.WatchReceiptRequest{Id: "web1"})
	if err != nil {
		t.Fatal(err)
	}
	r := until(t, stream, apiv1.Phase_PHASE_ALLOCATED)
	if waits := strings.Join(r.GetWaitingFor(), "\n"); !strings.Contains(waits, "leaf02") {
		t.Errorf("it waits for %q, want leaf02 named", waits)
	}
	if err := f.switches["leaf02"].Speak(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := until(t, stream, apiv1.Phase_PHASE_REACHABLE); len(r.GetWaitingFor()) != 0 || r.GetDegraded() {
		t.Errorf("reachable, and yet %v", r)
	}
}

// TestFollowedReceiptSeesAMoveAndTheEnd: with follow the stream survives reachable, shows the next generation, and says when the
// allocation is gone.
func TestFollowedReceiptSeesAMoveAndTheEnd(t *testing.T) {
	f := startFabric(t)
	must(t)(f.networks.CreateNetwork(t.Context(), &apiv1.CreateNetworkRequest{Id: "green", Prefixes: []string{"10.2.0.0/24"}}))
	must(t)(f.allocations.CreateAllocation(t.Context(), allocationOf("web1", "machine01")))
	stream, err := f.allocations.WatchReceipt(t.Context(), &apiv1.WatchReceiptRequest{Id: "web1", Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	first := until(t, stream, apiv1.Phase_PHASE_REACHABLE)
	must(t)(f.allocations.UpdateAllocation(t.Context(), &apiv1.UpdateAllocationRequest{Id: "web1", Attachments: []*apiv1.Attachment{{Network: "green"}}}))
	for {
		r := until(t, stream, apiv1.Phase_PHASE_REACHABLE)
		if r.GetGeneration() == first.GetGeneration()+1 {
			break
		}
	}
	must(t)(f.allocations.DeleteAllocation(t.Context(), &apiv1.DeleteAllocationRequest{Id: "web1"}))
	for {
		if _, err = stream.Recv(); err != nil {
			break
		}
	}
	refused(t, err, codes.NotFound)
}

// TestReceiptOfASwitchThatDied: who is not live is not waited for, but named.
func TestReceiptOfASwitchThatDied(t *testing.T) {
	f := startFabric(t)
	if err := f.switches["spine01"].Die(t.Context()); err != nil {
		t.Fatal(err)
	}
	must(t)(f.allocations.CreateAllocation(t.Context(), allocationOf("web1", "machine01")))
	stream, err := f.allocations.WatchReceipt(t.Context(), &apiv1.WatchReceiptRequest{Id: "web1"})
	if err != nil {
		t.Fatal(err)
	}
	r := until(t, stream, apiv1.Phase_PHASE_REACHABLE)
	if !r.GetDegraded() || strings.Join(r.GetMissingSwitches(), ",") != "spine01" {
		t.Errorf("degraded %v, missing %v, want spine01 named", r.GetDegraded(), r.GetMissingSwitches())
	}
}

func TestReceiptOfNothing(t *testing.T) {
	c := start(t)
	stream, err := c.allocations.WatchReceipt(t.Context(), &apiv1.WatchReceiptRequest{Id: "nobody"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	refused(t, err, codes.NotFound)
}

// TestStopEndsStreams: a server that stops does not wait for those who watch.
func TestStopEndsStreams(t *testing.T) {
	f := startFabric(t)
	f.switches["leaf01"].Silence()
	must(t)(f.allocations.CreateAllocation(t.Context(), allocationOf("web1", "machine01")))
	stream, err := f.allocations.WatchReceipt(t.Context(), &apiv1.WatchReceiptRequest{Id: "web1"})
	if err != nil {
		t.Fatal(err)
	}
	until(t, stream, apiv1.Phase_PHASE_ALLOCATED)
	began := time.Now()
	f.stop()
	for err == nil {
		_, err = stream.Recv()
	}
	refused(t, err, codes.Unavailable)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("stopping took %s", took)
	}
}
