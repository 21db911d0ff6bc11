package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/fabric"
)

// TestControlKilledInAllocation: the control plane is killed some time into four allocations at once, and started again. Who repeats a
// request gets what the first one made, no more and no less is held, and another tenant loses no packet.
func TestControlKilledInAllocation(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		p := newPair(ctx, t, f, "crash-other")
		network(ctx, t, f, "crash", "10.2.0.0/24", "fd02::/64")
		p.lossless(ctx, t, f, "another tenant, while the control plane is killed in the middle of allocations", func() {
			for i, after := range []time.Duration{2, 10, 40} { // ms: an allocation is committed in some 10
				crashedOnce(ctx, t, f, fmt.Sprintf("crash-%d", i), after*time.Millisecond)
			}
		})
		release(ctx, t, f, p.a, p.b)
	})
}

func crashedOnce(ctx context.Context, t *testing.T, f *fabric.Fabric, name string, after time.Duration) {
	t.Helper()
	const asked = 4 // all machines that are left
	results := make(chan outcome)
	for i := range asked {
		go func() { results <- insist(ctx, f, fmt.Sprintf("%s-%d", name, i)) }()
	}
	time.Sleep(after)
	if err := errors.Join(f.CP.Kill(), f.StartControlPlane(ctx, "")); err != nil {
		t.Fatal(err)
	}
	first, repeated := map[string]*apiv1.Allocation{}, 0
	for range asked {
		r := <-results
		if r.err != nil {
			t.Fatal(r.err)
		}
		first[r.request] = r.allocation
		repeated += r.repeated
	}
	t.Logf("killed after %v: %d of %d requests had to be repeated", after, repeated, asked)
	for request, want := range first {
		again := insist(ctx, f, request)
		if again.err != nil {
			t.Fatal(again.err)
		}
		if diff := sameAllocation(want, again.allocation); diff != nil {
			t.Errorf("request %s repeated: %v", request, diff)
		}
	}
	nothingTwice(ctx, t, f, asked+2)
	var made []*apiv1.Allocation
	for _, a := range first {
		waitPhase(ctx, t, f, a.Id, apiv1.Phase_PHASE_REACHABLE)
		made = append(made, a)
	}
	release(ctx, t, f, made...)
}

type outcome struct {
	request    string
	allocation *apiv1.Allocation
	err        error
	repeated   int // how often the request was repeated, at most once counted
}

// insist repeats one request until it is answered.
func insist(ctx context.Context, f *fabric.Fabric, request string) outcome {
	r := outcome{request: request}
	r.err = fabric.Eventually(ctx, 20*time.Millisecond, func() error {
		a, err := f.API.Allocations.CreateAllocation(ctx, &apiv1.CreateAllocationRequest{
			RequestId: request, Project: fabric.Project, Attachments: []*apiv1.Attachment{{Network: "crash"}},
		})
		if status.Code(err) == codes.Unavailable { // it was being killed, or does not serve yet
			r.repeated = 1
			return err
		}
		if err != nil {
			err = fmt.Errorf("request %s: %w", request, err)
		}
		r.allocation, r.err = a, err
		return nil
	})
	return r
}

// sameAllocation compares what an answer promises; the receipt goes on meanwhile.
func sameAllocation(a, b *apiv1.Allocation) error {
	a, b = proto.CloneOf(a), proto.CloneOf(b)
	a.Receipt, b.Receipt = nil, nil
	if !proto.Equal(a, b) {
		return fmt.Errorf("first %v, then %v", a, b)
	}
	return nil
}

// nothingTwice asserts that there are as many allocations as were asked for, and that machines, ASNs and addresses are held once each,
// by nobody else.
func nothingTwice(ctx context.Context, t *testing.T, f *fabric.Fabric, want int) {
	t.Helper()
	list, err := f.API.Allocations.ListAllocations(ctx, &apiv1.ListAllocationsRequest{Project: fabric.Project})
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]string{}
	hold := func(what, by string) {
		if other := held[what]; other != "" {
			t.Errorf("%s is held by %s and by %s", what, other, by)
		}
		held[what] = by
	}
	var given []string
	for _, a := range list.Allocations {
		hold("machine "+a.Machine, a.Id)
		hold(fmt.Sprintf("ASN %d", a.Asn), a.Id)
		for _, address := range addresses(t, a) {
			hold(a.Attachments[0].Network+" "+address.String(), a.Id)
			given = append(given, a.Attachments[0].Network+" "+address.String())
		}
	}
	if len(list.Allocations) != want {
		t.Errorf("there are %d allocations, want %d", len(list.Allocations), want)
	}
	ips, err := f.API.IPs.ListIPs(ctx, &apiv1.ListIPsRequest{Project: fabric.Project})
	if err != nil {
		t.Fatal(err)
	}
	var taken []string
	for _, ip := range ips.Ips {
		if ip.State == apiv1.IPState_IP_STATE_HELD {
			taken = append(taken, ip.Network+" "+ip.Address)
		}
	}
	slices.Sort(given)
	slices.Sort(taken)
	if err := differ(given, taken); err != nil {
		t.Errorf("addresses that are held, against those of allocations: %v", err)
	}
}

// TestManagementCut: a leaf is cut off while a machine of its rack is allocated: the receipt waits for it, by name; a leaf of another
// rack that is cut off degrades a receipt instead. Both heal by themselves, and another tenant loses no packet.
func TestManagementCut(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		p := newPair(ctx, t, f, "cut-other")
		network(ctx, t, f, "cut", "10.2.0.0/24", "fd02::/64")
		far := allocate(ctx, t, f, "cut", "machine05")
		partition := func(leaf string, cut bool) {
			t.Helper()
			if err := f.Lab.PartitionManagement(ctx, leaf, cut); err != nil {
				t.Fatal(err)
			}
		}
		var own, other *apiv1.Allocation
		p.lossless(ctx, t, f, "another tenant, while leaf01 and then leaf03 are cut off", func() {
			await(ctx, t, "machine02 is free", func(ctx context.Context) error { return free(ctx, f, "machine02") })
			partition("leaf01", true)
			var err error
			if own, err = f.API.Allocate(ctx, "cut", "machine02"); err != nil {
				t.Fatal(err)
			}
			await(ctx, t, "the receipt names leaf01", func(ctx context.Context) error {
				return waitsFor(ctx, f, own.Id, "leaf01 to apply generation", "it is not live")
			})
			if _, err := f.API.Allocate(ctx, "cut", "machine03"); err == nil {
				t.Error("a machine was allocated though a leaf of its is not live")
			} else {
				t.Logf("machine03 is refused: %v", err)
			}
			partition("leaf01", false)
			waitPhase(ctx, t, f, own.Id, apiv1.Phase_PHASE_REACHABLE)

			partition("leaf03", true)
			await(ctx, t, "leaf03 is missed", func(ctx context.Context) error { return live(ctx, f, "leaf03", false) })
			if other, err = f.API.Allocate(ctx, "cut", "machine03"); err != nil {
				t.Fatal(err)
			}
			receipt := waitPhase(ctx, t, f, other.Id, apiv1.Phase_PHASE_REACHABLE)
			if !receipt.Degraded || !slices.Equal(receipt.MissingSwitches, []string{"leaf03"}) {
				t.Errorf("the receipt does not say that leaf03 is missing: %s", fabric.Describe(receipt))
			}
			partition("leaf03", false)
			await(ctx, t, "leaf03 is live", func(ctx context.Context) error { return live(ctx, f, "leaf03", true) })
		})
		reach(ctx, t, f, own, far, 0)
		reach(ctx, t, f, other, far, 0)
		release(ctx, t, f, own, other, far, p.a, p.b)
	})
}

func live(ctx context.Context, f *fabric.Fabric, id string, want bool) error {
	sw, err := f.API.Switches.GetSwitch(ctx, &apiv1.GetSwitchRequest{Id: id})
	if err == nil && sw.Alive != want {
		err = fmt.Errorf("%s: alive %v", id, sw.Alive)
	}
	return err
}
