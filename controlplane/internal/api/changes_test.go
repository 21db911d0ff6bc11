package api_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/wire"
)

// told is a history in short: the last word of each method, the latest first.
func told(changes []*apiv1.ChangeRecord) string {
	var out []string
	for _, c := range changes {
		out = append(out, c.GetMethod()[strings.LastIndex(c.GetMethod(), "/")+1:])
	}
	return strings.Join(out, " ")
}

// TestHistory: each resource has the changes that concern it, and those of what holds it, with what became of its fields.
func TestHistory(t *testing.T) {
	f := startFabric(t)
	ctx := t.Context()
	changes := apiv1.NewChangeServiceClient(f.conn)
	must(t)(f.networks.UpdateNetwork(ctx, &apiv1.UpdateNetworkRequest{Id: "blue", Description: "pods", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"description"}}}))
	must(t)(f.allocations.CreateAllocation(ctx, allocationOf("web1", "machine01")))
	must(t)(f.ips.CreateIP(ctx, &apiv1.CreateIPRequest{Network: "blue", Address: "10.1.0.200"}))
	f.switches["leaf02"].Silence()
	must(t)(f.allocations.DeleteAllocation(ctx, &apiv1.DeleteAllocationRequest{RequestId: "r1", Id: "web1"}))
	must(t)(f.machines.OverrideMachineRelease(ctx, &apiv1.OverrideMachineReleaseRequest{Id: "machine01", Reason: "leaf02 is on my desk"}))

	for _, c := range []struct{ resource, want string }{
		{"machines/machine01", "OverrideMachineRelease DeleteAllocation CreateAllocation AdoptMachine"},
		{"machines/machine02", "AdoptMachine"},
		{"switches/leaf01", "DeleteAllocation CreateAllocation CreateSwitch"},
		{"switches/leaf01/ports/swp1", "DeleteAllocation CreateAllocation CreateSwitch"},
		{"switches/leaf01/ports/swp2", "CreateSwitch"},
		{"switches/leaf01/ports/swp9", ""},
		{"switches/spine01", "CreateSwitch"},
		{"networks/blue", "DeleteAllocation CreateIP CreateAllocation UpdateNetwork CreateNetwork"},
		{"ips/blue/10.1.0.200", "CreateIP"},
		{"allocations/web1", "DeleteAllocation CreateAllocation"},
		{"allocations/web", ""},
		{"", "OverrideMachineRelease DeleteAllocation CreateIP CreateAllocation UpdateNetwork CreateNetwork AdoptMachine AdoptMachine CreateSwitch CreateSwitch CreateSwitch"},
	} {
		r, err := changes.ListChanges(ctx, &apiv1.ListChangesRequest{Resource: c.resource})
		if err != nil || told(r.GetChanges()) != c.want {
			t.Errorf("%q has the history %q (%v), want %q", c.resource, told(r.GetChanges()), err, c.want)
		}
	}

	r, err := changes.ListChanges(ctx, &apiv1.ListChangesRequest{Resource: "networks/blue", Filter: "method : UpdateNetwork"})
	if err != nil || len(r.GetChanges()) != 1 {
		t.Fatal(r, err)
	}
	update := r.GetChanges()[0]
	want := []*apiv1.ResourceChange{{
		Resource: "networks/default/blue", Type: apiv1.EventType_EVENT_TYPE_MODIFIED, Fields: []*apiv1.FieldChange{{Field: "description", After: `"pods"`}},
	}}
	if diff := cmp.Diff(want, update.GetResources(), protocmp.Transform()); diff != "" || update.GetCaller() != "local" || update.GetTime() == nil {
		t.Errorf("%v\n%s", update, diff)
	}
	r, err = changes.ListChanges(ctx, &apiv1.ListChangesRequest{Resource: "machines/machine01", PageSize: 1})
	if err != nil || len(r.GetChanges()) != 1 || r.GetChanges()[0].GetReason() != "leaf02 is on my desk" {
		t.Errorf("the last change of the machine is %v (%v)", r.GetChanges(), err)
	}
	if r, err = changes.ListChanges(ctx, &apiv1.ListChangesRequest{Filter: "request_id = r1"}); err != nil || told(r.GetChanges()) != "DeleteAllocation" {
		t.Errorf("the change of request r1 is %v (%v)", r.GetChanges(), err)
	}

	code, said := f.ask(t, "GET", "/v1/changes?resource=allocations/web1&pageSize=1", "", nil)
	if list, _ := said["changes"].([]any); code != 200 || len(list) != 1 || said["nextPageToken"] == "" {
		t.Errorf("REST answers %d %v", code, said)
	}

	for what, req := range map[string]*apiv1.ListChangesRequest{
		"resource":   {Resource: "machine01"},
		"page_token": {PageToken: "bogus"},
		"filter":     {Filter: "method"},
	} {
		_, err := changes.ListChanges(ctx, req)
		if st := refused(t, err, codes.InvalidArgument); !strings.Contains(st.Message(), what) {
			t.Errorf("a bad %s is refused with %q", what, st.Message())
		}
	}
}

// TestHistoryInPages: pages put together are the whole, however far apart the changes are, and whatever is changed meanwhile.
func TestHistoryInPages(t *testing.T) {
	c := start(t)
	ctx := t.Context()
	var want []string
	for i, ago := range []time.Duration{time.Second, 2 * time.Second, time.Hour, 2 * time.Hour, 100 * time.Hour, 29 * 24 * time.Hour} {
		at := time.Now().Add(-ago)
		raw, err := wire.Marshal(&apiv1.Change{Caller: "ada", Method: fmt.Sprintf("/x/change%d", i), Time: timestamppb.New(at), Objects: []*apiv1.ChangedObject{{Key: keys.Machine("m1"), After: "{}"}}})
		if err != nil {
			t.Fatal(err)
		}
		must(t)(c.etcd.Put(ctx, keys.Change(fmt.Sprintf("%020d-00000000", at.UnixNano())), string(raw)))
		want = append(want, fmt.Sprintf("change%d", i))
	}
	changes := apiv1.NewChangeServiceClient(c.conn)
	for size := range len(want) + 2 {
		var got []string
		req := &apiv1.ListChangesRequest{PageSize: int32(size), Filter: "caller = ada"}
		for pages := 0; ; pages++ {
			r, err := changes.ListChanges(ctx, req)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, strings.Fields(told(r.GetChanges()))...)
			if n := len(r.GetChanges()); size > 0 && n > size || n == 0 {
				t.Errorf("a page of %d holds %d", size, n)
			}
			must(t)(c.networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{Id: fmt.Sprintf("n%d-%d", size, pages), Prefixes: []string{fmt.Sprintf("10.%d.%d.0/24", size, pages)}}))
			if req.PageToken = r.GetNextPageToken(); req.GetPageToken() == "" {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", size, diff)
		}
	}
	r, err := changes.ListChanges(ctx, &apiv1.ListChangesRequest{PageSize: 1})
	if err != nil || r.GetNextPageToken() == "" {
		t.Fatal(r, err)
	}
	_, err = changes.ListChanges(ctx, &apiv1.ListChangesRequest{PageSize: 1, PageToken: r.GetNextPageToken(), Filter: "caller = ada"})
	refused(t, err, codes.InvalidArgument)
}

// TestProbes: a switch that must hold an allocation's routes is there before it has answered, and then with its answer.
func TestProbes(t *testing.T) {
	f := startFabric(t)
	f.switches["spine01"].Silence()
	must(t)(f.allocations.CreateAllocation(t.Context(), allocationOf("web1", "machine01")))
	holds := func(answered, satisfied bool) {
		t.Helper()
		f.eventually(t, fmt.Sprintf("the spine answered %v, satisfied %v", answered, satisfied), func(ctx context.Context) (string, bool) {
			r, err := f.allocations.ListProbes(ctx, &apiv1.ListProbesRequest{Id: "web1"})
			if err != nil || len(r.GetProbes()) != 1 {
				return fmt.Sprint(r, err), false
			}
			p := r.GetProbes()[0]
			return fmt.Sprint(r), p.GetSwitch() == "spine01" && p.GetAlive() && len(p.GetIntent().GetPrefixes()) == 2 && len(p.GetIntent().GetOrigins()) == 2 &&
				(p.GetStatus() != nil) == answered && p.GetStatus().GetSatisfied() == satisfied
		})
	}
	holds(false, false)
	if err := f.switches["spine01"].Speak(t.Context()); err != nil {
		t.Fatal(err)
	}
	holds(true, true)
	_, err := f.allocations.ListProbes(t.Context(), &apiv1.ListProbesRequest{Id: "web2"})
	refused(t, err, codes.NotFound)
}
