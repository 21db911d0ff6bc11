package api_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// TestRequestsAreIdempotent: the same request id gives the same answer and changes nothing again; with another request it is a
// mistake of the caller.
func TestRequestsAreIdempotent(t *testing.T) {
	f := startFabric(t)
	ctx := t.Context()
	create := &apiv1.CreateAllocationRequest{RequestId: "a", Attachments: []*apiv1.Attachment{{Network: "blue"}}}
	first, err := f.allocations.CreateAllocation(ctx, create)
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.allocations.CreateAllocation(ctx, create)
	if err != nil {
		t.Fatal(err)
	}
	if first.GetId() != again.GetId() || first.GetMachine() != again.GetMachine() {
		t.Errorf("the second answer is %s on %s, the first was %s on %s", again.GetId(), again.GetMachine(), first.GetId(), first.GetMachine())
	}
	all, err := f.allocations.ListAllocations(ctx, &apiv1.ListAllocationsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(all.GetAllocations()); n != 1 {
		t.Errorf("there are %d allocations", n)
	}
	_, err = f.allocations.CreateAllocation(ctx, &apiv1.CreateAllocationRequest{RequestId: "a", Hostname: "other", Attachments: create.GetAttachments()})
	refused(t, err, codes.InvalidArgument)

	remove := &apiv1.DeleteAllocationRequest{RequestId: "b", Id: first.GetId()}
	pending, err := f.allocations.DeleteAllocation(ctx, remove)
	if err != nil {
		t.Fatal(err)
	}
	pendingAgain, err := f.allocations.DeleteAllocation(ctx, remove)
	if err != nil {
		t.Fatalf("released again under the same id: %v", err)
	}
	if diff := cmp.Diff(pending, pendingAgain, protocmp.Transform()); diff != "" {
		t.Errorf("(-first +again):\n%s", diff)
	}
	_, err = f.allocations.DeleteAllocation(ctx, &apiv1.DeleteAllocationRequest{RequestId: "c", Id: first.GetId()})
	refused(t, err, codes.NotFound)
}

// TestOneRequestSentManyTimesAtOnce is what a client's retries over a bad line amount to.
func TestOneRequestSentManyTimesAtOnce(t *testing.T) {
	f := startFabric(t)
	var wg sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		wg.Go(func() {
			a, err := f.allocations.CreateAllocation(t.Context(), &apiv1.CreateAllocationRequest{RequestId: "same", Attachments: []*apiv1.Attachment{{Network: "blue"}}})
			if err != nil {
				t.Error(err)
			}
			ids[i] = a.GetId()
		})
	}
	wg.Wait()
	if slices.Sort(ids); len(slices.Compact(ids)) != 1 {
		t.Errorf("one request made several allocations: %v", ids)
	}
}

// TestErrorsHaveTheirCodes: what a program branches on, and a word that helps a person.
func TestErrorsHaveTheirCodes(t *testing.T) {
	f := startFabric(t)
	ctx := t.Context()
	must(t)(f.networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{Id: "tiny", Prefixes: []string{"10.9.0.0/31"}}))
	must(t)(f.networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{Id: "pool", Kind: apiv1.NetworkKind_NETWORK_KIND_POOL, Prefixes: []string{"10.64.0.0/24"}, DefaultIpv4Length: 24}))
	must(t)(f.networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{Id: "carved", Pool: "pool"}))
	must(t)(f.ips.CreateIP(ctx, &apiv1.CreateIPRequest{Network: "blue", Address: "10.1.0.9"}))
	must(t)(f.allocations.CreateAllocation(ctx, allocationOf("web1", "machine01")))
	for _, test := range []struct {
		name string
		code codes.Code
		says string
		call func() error
	}{
		{"network is not there", codes.NotFound, "nowhere", func() error {
			_, err := f.networks.GetNetwork(ctx, &apiv1.GetNetworkRequest{Id: "nowhere"})
			return err
		}},
		{"deleting what is not there", codes.NotFound, "nowhere", func() error {
			_, err := f.networks.DeleteNetwork(ctx, &apiv1.DeleteNetworkRequest{Id: "nowhere"})
			return err
		}},
		{"address is not held", codes.NotFound, "10.1.0.77", func() error {
			_, err := f.ips.GetIP(ctx, &apiv1.GetIPRequest{Network: "blue", Address: "10.1.0.77"})
			return err
		}},
		{"machine is not there", codes.NotFound, "machine99", func() error {
			_, err := f.machines.GetMachine(ctx, &apiv1.GetMachineRequest{Id: "machine99"})
			return err
		}},
		{"switch is not there", codes.NotFound, "leaf99", func() error {
			_, err := f.clients.switches.GetSwitch(ctx, &apiv1.GetSwitchRequest{Id: "leaf99"})
			return err
		}},
		{"allocation is not there", codes.NotFound, "web9", func() error {
			_, err := f.allocations.GetAllocation(ctx, &apiv1.GetAllocationRequest{Id: "web9"})
			return err
		}},
		{"network is there", codes.AlreadyExists, "blue", func() error {
			_, err := f.networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{Id: "blue", Prefixes: []string{"10.3.0.0/24"}})
			return err
		}},
		{"address is held", codes.AlreadyExists, "10.1.0.9", func() error {
			_, err := f.ips.CreateIP(ctx, &apiv1.CreateIPRequest{Network: "blue", Address: "10.1.0.9"})
			return err
		}},
		{"switch is there", codes.AlreadyExists, "leaf01", func() error {
			_, err := f.clients.switches.CreateSwitch(ctx, leafRequest("leaf01", 1))
			return err
		}},
		{"allocation is there", codes.AlreadyExists, "web1", func() error {
			_, err := f.allocations.CreateAllocation(ctx, allocationOf("web1", "machine02"))
			return err
		}},
		{"address outside the network", codes.InvalidArgument, "10.7.0.1", func() error {
			_, err := f.ips.CreateIP(ctx, &apiv1.CreateIPRequest{Network: "blue", Address: "10.7.0.1"})
			return err
		}},
		{"network in use", codes.FailedPrecondition, "blue", func() error {
			_, err := f.networks.DeleteNetwork(ctx, &apiv1.DeleteNetworkRequest{Id: "blue"})
			return err
		}},
		{"machine in use", codes.FailedPrecondition, "machine01", func() error {
			_, err := f.allocations.CreateAllocation(ctx, allocationOf("web2", "machine01"))
			return err
		}},
		{"machine in use is not deleted", codes.FailedPrecondition, "machine01", func() error {
			_, err := f.machines.DeleteMachine(ctx, &apiv1.DeleteMachineRequest{Id: "machine01"})
			return err
		}},
		{"switch in use", codes.FailedPrecondition, "leaf01", func() error {
			_, err := f.clients.switches.DeleteSwitch(ctx, &apiv1.DeleteSwitchRequest{Id: "leaf01"})
			return err
		}},
		{"pool is used up", codes.ResourceExhausted, "pool", func() error {
			_, err := f.networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{Id: "more", Pool: "pool"})
			return err
		}},
		{"no machine in the rack", codes.ResourceExhausted, "rack9", func() error {
			_, err := f.allocations.CreateAllocation(ctx, &apiv1.CreateAllocationRequest{Rack: "rack9", Attachments: []*apiv1.Attachment{{Network: "blue"}}})
			return err
		}},
		{"config of a machine that is not allocated", codes.FailedPrecondition, "machine02", func() error {
			_, err := f.machines.GetMachineConfig(ctx, &apiv1.GetMachineConfigRequest{Id: "machine02"})
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if st := refused(t, test.call(), test.code); !strings.Contains(st.Message(), test.says) {
				t.Errorf("says %q without %q", st.Message(), test.says)
			}
		})
	}
}

// TestAMachinesDay walks one machine through the API and looks at what is said of it.
func TestAMachinesDay(t *testing.T) {
	f := startFabric(t)
	ctx := t.Context()
	a, err := f.allocations.CreateAllocation(ctx, &apiv1.CreateAllocationRequest{Id: "web1", Machine: "machine01", Hostname: "web", Attachments: []*apiv1.Attachment{{Network: "blue"}}})
	if err != nil {
		t.Fatal(err)
	}
	if a.GetProject() != "default" || a.GetGeneration() != 1 || len(a.GetPorts()) != 2 || len(a.GetAttachments()[0].GetAddresses()) != 2 || a.GetReceipt().GetPhases()[0].GetPhase() != apiv1.Phase_PHASE_ALLOCATED {
		t.Errorf("allocation is %v", a) // the switches may have answered by now, and its receipt go on
	}
	f.await(t, "machine01", apiv1.MachineState_MACHINE_STATE_ALLOCATED)
	conf, err := f.machines.GetMachineConfig(ctx, &apiv1.GetMachineConfigRequest{Id: "machine01"})
	if err != nil {
		t.Fatal(err)
	}
	if conf.GetAsn() != a.GetAsn() || conf.GetHostname() != "web" || len(conf.GetAddresses()) != 2 || len(conf.GetUplinks()) != 2 || conf.GetUplinks()[0].GetSwitchAsn() == 0 {
		t.Errorf("machine file is %v", conf)
	}
	f.eventually(t, "leaf01 shows the machine's port in the VRF, with its session", func(ctx context.Context) (string, bool) {
		s, err := f.clients.switches.GetSwitch(ctx, &apiv1.GetSwitchRequest{Id: "leaf01"})
		for _, v := range s.GetPortViews() {
			if v.GetName() == "swp1" {
				return v.String(), v.GetStatus().GetVrf() != "" && v.GetStatus().GetVrf() == v.GetIntent().GetVrf() && v.GetSession().GetEstablished() && len(v.GetDiscovery().GetNeighbours()) == 1
			}
		}
		return "no such port", err != nil
	})
	s, err := f.clients.switches.UpdateSwitch(ctx, &apiv1.UpdateSwitchRequest{Id: "leaf01", Description: "by the door", Mtu: 9000, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"description"}}})
	if err != nil {
		t.Fatal(err)
	}
	if s.GetDescription() != "by the door" || s.GetMtu() == 9000 {
		t.Errorf("after an update of the description alone: %q, MTU %d", s.GetDescription(), s.GetMtu())
	}
	must(t)(f.allocations.DeleteAllocation(ctx, &apiv1.DeleteAllocationRequest{Id: "web1"}))
	f.await(t, "machine01", apiv1.MachineState_MACHINE_STATE_FREE)
}

// TestAFullStoreSaysSo: writes are refused with the reason, reads go on.
func TestAFullStoreSaysSo(t *testing.T) {
	c := startWith(t, 4<<20)
	must(t)(c.networks.CreateNetwork(t.Context(), &apiv1.CreateNetworkRequest{Id: "blue", Prefixes: []string{"10.1.0.0/24"}}))
	value := strings.Repeat("x", 256<<10)
	for range 100 {
		if _, err := c.etcd.Put(t.Context(), "big", value); err != nil {
			break
		}
	}
	_, err := c.networks.CreateNetwork(t.Context(), &apiv1.CreateNetworkRequest{Id: "green", Prefixes: []string{"10.2.0.0/24"}})
	if st := refused(t, err, codes.Unavailable); !strings.Contains(st.Message(), "etcd is full") {
		t.Errorf("says %q", st.Message())
	}
	must(t)(c.networks.GetNetwork(t.Context(), &apiv1.GetNetworkRequest{Id: "blue"}))
}

func TestHealthAndReflection(t *testing.T) {
	c := start(t)
	h, err := grpc_health_v1.NewHealthClient(c.conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if h.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health is %s", h.GetStatus())
	}
	stream, err := reflectionpb.NewServerReflectionClient(c.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range answer.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	for _, want := range []string{"AllocationService", "IPService", "MachineService", "NetworkService", "SwitchService"} {
		if !slices.Contains(names, "pointsman.v1."+want) {
			t.Errorf("reflection shows %v, not %s", names, want)
		}
	}
}
