package api_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// twelve makes networks n00 to n11.
func twelve(t *testing.T, c *clients) {
	t.Helper()
	for n := range 12 {
		must(t)(c.networks.CreateNetwork(t.Context(), &apiv1.CreateNetworkRequest{
			Id: fmt.Sprintf("n%02d", n), Prefixes: []string{fmt.Sprintf("10.%d.0.0/24", n)}, Labels: map[string]string{"parity": []string{"even", "odd"}[n%2]},
		}))
	}
}

func ids(networks []*apiv1.Network) (out []string) {
	for _, n := range networks {
		out = append(out, n.GetId())
	}
	return out
}

// pages reads a list to its end, and calls between after each page.
func pages(t *testing.T, c *clients, req *apiv1.ListNetworksRequest, between func()) (all []string, sizes []int) {
	t.Helper()
	version := ""
	for {
		page, err := c.networks.ListNetworks(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		all, sizes = append(all, ids(page.GetNetworks())...), append(sizes, len(page.GetNetworks()))
		if version != "" && page.GetResourceVersion() != version {
			t.Errorf("pages are of versions %s and %s", version, page.GetResourceVersion())
		}
		version = page.GetResourceVersion()
		if page.GetNextPageToken() == "" {
			return all, sizes
		}
		req.PageToken = page.GetNextPageToken()
		between()
	}
}

// TestPagesShowOneState: whatever changes between two pages, nothing is missed and nothing is shown twice.
func TestPagesShowOneState(t *testing.T) {
	c := start(t)
	twelve(t, c)
	before, err := c.networks.ListNetworks(t.Context(), &apiv1.ListNetworksRequest{})
	if err != nil {
		t.Fatal(err)
	}
	round := 0
	all, sizes := pages(t, c, &apiv1.ListNetworksRequest{PageSize: 5}, func() {
		must(t)(c.networks.DeleteNetwork(t.Context(), &apiv1.DeleteNetworkRequest{Id: fmt.Sprintf("n%02d", round)}))
		must(t)(c.networks.DeleteNetwork(t.Context(), &apiv1.DeleteNetworkRequest{Id: fmt.Sprintf("n%02d", 11-round)}))
		must(t)(c.networks.CreateNetwork(t.Context(), &apiv1.CreateNetworkRequest{Id: fmt.Sprintf("m%02d", round), Prefixes: []string{fmt.Sprintf("10.9%d.0.0/24", round)}}))
		round++
	})
	if !slices.Equal(all, ids(before.GetNetworks())) || !slices.Equal(sizes, []int{5, 5, 2}) {
		t.Errorf("pages %v of sizes %v, want %v", all, sizes, ids(before.GetNetworks()))
	}
}

func TestTokensAreForOneSelection(t *testing.T) {
	c := start(t)
	twelve(t, c)
	first, err := c.networks.ListNetworks(t.Context(), &apiv1.ListNetworksRequest{PageSize: 2, Filter: "labels.parity = odd"})
	if err != nil || !slices.Equal(ids(first.GetNetworks()), []string{"n01", "n03"}) {
		t.Fatalf("%v, %v", first, err)
	}
	token := first.GetNextPageToken()
	next, err := c.networks.ListNetworks(t.Context(), &apiv1.ListNetworksRequest{PageSize: 3, Filter: "labels.parity = odd", PageToken: token})
	if err != nil || !slices.Equal(ids(next.GetNetworks()), []string{"n05", "n07", "n09"}) {
		t.Errorf("another page size: %v, %v", next, err)
	}
	for name, req := range map[string]*apiv1.ListNetworksRequest{
		"another filter": {Filter: "labels.parity = even", PageToken: token}, "another kind": {Filter: "labels.parity = odd", Kind: apiv1.NetworkKind_NETWORK_KIND_POOL, PageToken: token},
		"no token": {PageToken: "x"}, "half a token": {Filter: "labels.parity = odd", PageToken: token[:len(token)/2]},
	} {
		_, err := c.networks.ListNetworks(t.Context(), req)
		if st := refused(t, err, codes.InvalidArgument); !strings.Contains(st.Message(), "page_token") {
			t.Errorf("%s: %s", name, st.Message())
		}
	}
	_, err = c.machines.ListMachines(t.Context(), &apiv1.ListMachinesRequest{PageToken: token})
	refused(t, err, codes.InvalidArgument)
	// The state of the first page goes with the history.
	now, err := c.etcd.Put(t.Context(), "/elsewhere", "x")
	if err != nil {
		t.Fatal(err)
	}
	must(t)(c.etcd.Compact(t.Context(), now.Header.Revision, clientv3.WithCompactPhysical()))
	must(t)(c.networks.DeleteNetwork(t.Context(), &apiv1.DeleteNetworkRequest{Id: "n00"}))
	_, err = c.machines.ListMachines(t.Context(), &apiv1.ListMachinesRequest{})
	if err != nil {
		t.Error(err)
	}
	stale, err := c.networks.ListNetworks(t.Context(), &apiv1.ListNetworksRequest{PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	now, err = c.etcd.Put(t.Context(), "/elsewhere", "y")
	if err != nil {
		t.Fatal(err)
	}
	must(t)(c.networks.DeleteNetwork(t.Context(), &apiv1.DeleteNetworkRequest{Id: "n01"}))
	must(t)(c.etcd.Compact(t.Context(), now.Header.Revision+1, clientv3.WithCompactPhysical()))
	_, err = c.networks.ListNetworks(t.Context(), &apiv1.ListNetworksRequest{PageSize: 1, PageToken: stale.GetNextPageToken()})
	if st := refused(t, err, codes.OutOfRange); !strings.Contains(st.Message(), "list anew") {
		t.Errorf("a token of a compacted state: %s", st.Message())
	}
}

func TestFilterOfEachKind(t *testing.T) {
	f := startFabric(t)
	ctx := t.Context()
	must(t)(f.allocations.CreateAllocation(ctx, allocationOf("web", "machine01")))
	got := func(n int, err error) string { return fmt.Sprint(n, err) }
	for what, is := range map[string]string{
		"machines": func() string {
			r, err := f.machines.ListMachines(ctx, &apiv1.ListMachinesRequest{Filter: "state = allocated AND connections.switch = leaf02"})
			return got(len(r.GetMachines()), err)
		}(),
		"switches": func() string {
			r, err := f.clients.switches.ListSwitches(ctx, &apiv1.ListSwitchesRequest{Filter: `role = spine`})
			return got(len(r.GetSwitches()), err)
		}(),
		"allocations": func() string {
			r, err := f.allocations.ListAllocations(ctx, &apiv1.ListAllocationsRequest{Filter: `attachments.network = blue AND machine:01`})
			return got(len(r.GetAllocations()), err)
		}(),
		"ips": func() string {
			r, err := f.ips.ListIPs(ctx, &apiv1.ListIPsRequest{Filter: `allocation = web AND address:"fd01:"`})
			return got(len(r.GetIps()), err)
		}(),
		"networks": func() string {
			r, err := f.networks.ListNetworks(ctx, &apiv1.ListNetworksRequest{Filter: `vni >= 100000 AND kind = private`})
			return got(len(r.GetNetworks()), err)
		}(),
	} {
		if is != "1 <nil>" {
			t.Errorf("%s: %s", what, is)
		}
	}
	_, err := f.machines.ListMachines(ctx, &apiv1.ListMachinesRequest{Filter: "colour = red"})
	if st := refused(t, err, codes.InvalidArgument); !strings.Contains(st.Message(), `no field "colour"`) {
		t.Error(st.Message())
	}
}

// TestReadsNoOlderThan: a version that was given out is seen by whoever asks with it; one of another store is said to be.
func TestReadsNoOlderThan(t *testing.T) {
	c := start(t)
	ctx := t.Context()
	n, err := c.networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{Id: "blue", Prefixes: []string{"10.1.0.0/24"}})
	if err != nil || n.GetResourceVersion() == "" {
		t.Fatalf("%v, %v", n, err)
	}
	got, err := c.networks.GetNetwork(ctx, &apiv1.GetNetworkRequest{Id: "blue", MinResourceVersion: n.GetResourceVersion()})
	if err != nil || got.GetResourceVersion() != n.GetResourceVersion() {
		t.Errorf("%v, %v", got, err)
	}
	other := start(t)
	foreign, err := other.networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{Id: "blue", Prefixes: []string{"10.1.0.0/24"}})
	if err != nil {
		t.Fatal(err)
	}
	read := func(version string) error {
		_, err := c.networks.ListNetworks(ctx, &apiv1.ListNetworksRequest{MinResourceVersion: version})
		return err
	}
	refused(t, read(foreign.GetResourceVersion()), codes.OutOfRange)
	refused(t, read("yesterday"), codes.InvalidArgument)
	refused(t, read(n.GetResourceVersion()+"zzz"), codes.OutOfRange)
}

func TestUpdates(t *testing.T) {
	f := startFabric(t)
	ctx := t.Context()
	mask := func(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }
	must(t)(f.allocations.CreateAllocation(ctx, allocationOf("web", "machine01")))
	blue, err := f.networks.GetNetwork(ctx, &apiv1.GetNetworkRequest{Id: "blue"})
	if err != nil {
		t.Fatal(err)
	}
	update := &apiv1.UpdateNetworkRequest{
		RequestId: "u1", Id: "blue", Description: "pods", Announceable: []*apiv1.Announceable{{Prefix: "10.244.0.0/16", MaxLength: 24}},
		UpdateMask: mask("description", "announceable"), ResourceVersion: blue.GetResourceVersion(),
	}
	n, err := f.networks.UpdateNetwork(ctx, update)
	if err != nil || n.GetDescription() != "pods" || len(n.GetAnnounceable()) != 1 || n.GetVni() != blue.GetVni() || n.GetResourceVersion() == blue.GetResourceVersion() {
		t.Fatalf("%v, %v", n, err)
	}
	again, err := f.networks.UpdateNetwork(ctx, update)
	if err != nil || again.GetDescription() != "pods" {
		t.Errorf("the same request again: %v, %v", again, err)
	}
	update.RequestId = "u2"
	_, err = f.networks.UpdateNetwork(ctx, update)
	refused(t, err, codes.Aborted)
	f.eventually(t, "the allocated port may announce what the network may", func(ctx context.Context) (string, bool) {
		sw, err := f.clients.switches.GetSwitch(ctx, &apiv1.GetSwitchRequest{Id: "leaf01"})
		grants := fmt.Sprint(sw.GetPortViews()[0].GetIntent().GetGrants(), err)
		return grants, strings.Contains(grants, "10.244.0.0/16")
	})
	_, err = f.networks.UpdateNetwork(ctx, &apiv1.UpdateNetworkRequest{Id: "blue", Announceable: []*apiv1.Announceable{{Prefix: "10.1.0.0/25"}}, UpdateMask: mask("announceable")})
	refused(t, err, codes.InvalidArgument)

	m, err := f.machines.UpdateMachine(ctx, &apiv1.UpdateMachineRequest{Id: "machine01", Description: "top", Labels: map[string]string{"owner": "web"}, UpdateMask: mask("labels", "description")})
	if err != nil || m.GetLabels()["owner"] != "web" || m.GetDescription() != "top" || m.GetAllocation() != "web" {
		t.Errorf("%v, %v", m, err)
	}
	must(t)(f.ips.CreateIP(ctx, &apiv1.CreateIPRequest{Network: "blue", Address: "10.1.0.77"}))
	ip, err := f.ips.UpdateIP(ctx, &apiv1.UpdateIPRequest{Network: "blue", Address: "10.1.0.77", Description: "virtual", UpdateMask: mask("description")})
	if err != nil || ip.GetDescription() != "virtual" {
		t.Errorf("%v, %v", ip, err)
	}
	a, err := f.allocations.UpdateAllocation(ctx, &apiv1.UpdateAllocationRequest{Id: "web", Description: "front", UpdateMask: mask("description")})
	if err != nil || a.GetDescription() != "front" || a.GetGeneration() != 1 || len(a.GetPorts()) != 2 {
		t.Errorf("%v, %v", a, err)
	}
	_, err = f.allocations.UpdateAllocation(ctx, &apiv1.UpdateAllocationRequest{Id: "web"})
	refused(t, err, codes.InvalidArgument)
}

func TestMasksRefuseByName(t *testing.T) {
	c := start(t)
	ctx := t.Context()
	for path, says := range map[string]string{"vni": `"vni" of Network cannot be changed`, "prefixes": "cannot be changed", "colour": `no field "colour"`, "": "invalid path"} {
		_, err := c.networks.UpdateNetwork(ctx, &apiv1.UpdateNetworkRequest{Id: "blue", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"description", path}}})
		if st := refused(t, err, codes.InvalidArgument); !strings.Contains(st.Message(), says) {
			t.Errorf("%q: %s", path, st.Message())
		}
	}
	_, err := c.switches.UpdateSwitch(ctx, &apiv1.UpdateSwitchRequest{Id: "leaf01", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"loopback"}}})
	if st := refused(t, err, codes.InvalidArgument); !strings.Contains(st.Message(), `"loopback" of Switch cannot be changed, only description, ports, mtu`) {
		t.Error(st.Message())
	}
	_, err = c.machines.UpdateMachine(ctx, &apiv1.UpdateMachineRequest{Id: "m", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"system_uuid"}}})
	if st := refused(t, err, codes.InvalidArgument); !strings.Contains(st.Message(), "system_uuid") {
		t.Error(st.Message())
	}
	_, err = c.machines.UpdateMachine(ctx, &apiv1.UpdateMachineRequest{Id: "m", UpdateMask: &fieldmaskpb.FieldMask{}})
	refused(t, err, codes.InvalidArgument)
}
