package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/keys"
)

// TestHistoryHasGenerations: which generation a switch was told by which call can be read back, of ports and of the switch.
func TestHistoryHasGenerations(t *testing.T) {
	f := startFabric(t)
	ctx := t.Context()
	must(t)(f.networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{Id: "green", Prefixes: []string{"10.2.0.0/24"}}))
	must(t)(f.allocations.CreateAllocation(ctx, allocationOf("web1", "machine01")))
	must(t)(f.allocations.UpdateAllocation(ctx, &apiv1.UpdateAllocationRequest{Id: "web1", Attachments: []*apiv1.Attachment{{Network: "green"}}}))
	must(t)(f.clients.switches.UpdateSwitch(ctx, &apiv1.UpdateSwitchRequest{Id: "leaf01", Mtu: 9000, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"mtu"}}}))
	must(t)(f.allocations.DeleteAllocation(ctx, &apiv1.DeleteAllocationRequest{Id: "web1"}))
	changes := apiv1.NewChangeServiceClient(f.conn)
	for _, c := range []struct {
		resource, of string
		want         []string
	}{
		{"switches/leaf01/ports/swp1", "switches/leaf01/ports/swp1", []string{"DeleteAllocation 3-4", "UpdateAllocation 2-3", "CreateAllocation 1-2", "CreateSwitch 0-1"}},
		{"switches/leaf01/ports/swp2", "switches/leaf01/ports/swp2", []string{"CreateSwitch 0-1"}},
		{"switches/leaf01", "switches/leaf01/config", []string{"UpdateSwitch 1-2", "CreateSwitch 0-1"}},
		{"allocations/web1", "allocations/default/web1", []string{"DeleteAllocation 2-0", "UpdateAllocation 1-2", "CreateAllocation 0-1"}},
	} {
		r, err := changes.ListChanges(ctx, &apiv1.ListChangesRequest{Resource: c.resource})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, change := range r.GetChanges() {
			for _, x := range change.GetResources() {
				if x.GetResource() == c.of {
					got = append(got, fmt.Sprintf("%s %d-%d", told([]*apiv1.ChangeRecord{change}), x.GetBeforeGeneration(), x.GetAfterGeneration()))
				}
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("generations of %s: %q, want %q", c.of, got, c.want)
		}
	}
}

// TestPagesOfHistoryShowOneState: what ends, and what a slower clock records, between two pages moves nothing; and more than one
// answer of etcd holds is shown whole.
func TestPagesOfHistoryShowOneState(t *testing.T) {
	c := start(t)
	ctx := t.Context()
	id := func(n int) string {
		return fmt.Sprintf("%020d-00000000", 1_700_000_000_000_000_000+int64(n)*1_000_000_000)
	}
	for from := 0; from < 1200; from += 100 {
		var ops []clientv3.Op
		for n := from; n < from+100; n++ {
			ops = append(ops, clientv3.OpPut(keys.Change(id(n)), fmt.Sprintf(`{"method":"/x/m%04d"}`, n)))
		}
		must(t)(c.etcd.Txn(ctx).Then(ops...).Commit())
	}
	changes := apiv1.NewChangeServiceClient(c.conn)
	req := &apiv1.ListChangesRequest{PageSize: 500, Filter: "method : /x/"}
	var got []string
	var versions []string
	for {
		r, err := changes.ListChanges(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		got, versions = append(got, strings.Fields(told(r.GetChanges()))...), append(versions, r.GetResourceVersion())
		if req.PageToken = r.GetNextPageToken(); req.GetPageToken() == "" {
			break
		}
		must(t)(c.etcd.Delete(ctx, keys.Change(id(0)), clientv3.WithRange(keys.Change(id(50)))))
		must(t)(c.etcd.Put(ctx, keys.Change(fmt.Sprintf("%s-late%d", id(60), len(got))), `{"method":"/x/late"}`))
	}
	if len(got) != 1200 || got[0] != "m1199" || got[1199] != "m0000" || slices.Contains(got, "late") || len(slices.Compact(slices.Sorted(slices.Values(got)))) != 1200 {
		t.Errorf("%d changes, from %s to %s", len(got), got[0], got[len(got)-1])
	}
	if len(versions) != 3 || versions[0] == "" || len(slices.Compact(versions)) != 1 {
		t.Errorf("pages are of versions %v", versions)
	}
}

func TestHistoryOfAStateThatIsGone(t *testing.T) {
	c := start(t)
	twelve(t, c)
	changes := apiv1.NewChangeServiceClient(c.conn)
	first, err := changes.ListChanges(t.Context(), &apiv1.ListChangesRequest{PageSize: 5})
	if err != nil {
		t.Fatal(err)
	}
	must(t)(changes.ListChanges(t.Context(), &apiv1.ListChangesRequest{MinResourceVersion: first.GetResourceVersion()}))
	now, err := c.etcd.Put(t.Context(), "/elsewhere", "x")
	if err != nil {
		t.Fatal(err)
	}
	must(t)(c.etcd.Compact(t.Context(), now.Header.Revision, clientv3.WithCompactPhysical()))
	_, err = changes.ListChanges(t.Context(), &apiv1.ListChangesRequest{PageSize: 5, PageToken: first.GetNextPageToken()})
	refused(t, err, codes.OutOfRange)
	_, err = changes.ListChanges(t.Context(), &apiv1.ListChangesRequest{MinResourceVersion: "bogus"})
	refused(t, err, codes.InvalidArgument)
}
