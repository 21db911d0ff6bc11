package api_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/simswitch"
)

// clients are the API over a real connection to a control plane of this test's own, on an etcd of its own.
type clients struct {
	conn        *grpc.ClientConn
	etcd        *clientv3.Client
	stop        func()
	metrics     http.Handler
	networks    apiv1.NetworkServiceClient
	ips         apiv1.IPServiceClient
	machines    apiv1.MachineServiceClient
	switches    apiv1.SwitchServiceClient
	allocations apiv1.AllocationServiceClient
}

func clientsOf(conn *grpc.ClientConn, etcd *clientv3.Client) *clients {
	return &clients{
		conn: conn, etcd: etcd,
		networks:    apiv1.NewNetworkServiceClient(conn),
		ips:         apiv1.NewIPServiceClient(conn),
		machines:    apiv1.NewMachineServiceClient(conn),
		switches:    apiv1.NewSwitchServiceClient(conn),
		allocations: apiv1.NewAllocationServiceClient(conn),
	}
}

func leafRequest(id string, n int) *apiv1.CreateSwitchRequest {
	return &apiv1.CreateSwitchRequest{
		Id: id, Role: apiv1.SwitchRole_SWITCH_ROLE_LEAF, Rack: "rack1", Loopback: fmt.Sprintf("10.255.0.1%d", n),
		Ports: []*apiv1.SwitchPort{
			{Name: "swp1", Role: apiv1.PortRole_PORT_ROLE_MACHINE},
			{Name: "swp2", Role: apiv1.PortRole_PORT_ROLE_MACHINE},
			{Name: "swp51", Role: apiv1.PortRole_PORT_ROLE_UPLINK},
		},
		Provisioning: &apiv1.Provisioning{Vlan: 4000, Addresses: []string{fmt.Sprintf("10.250.%d.1/24", n)}},
	}
}

func spineRequest(id string, n int) *apiv1.CreateSwitchRequest {
	return &apiv1.CreateSwitchRequest{
		Id: id, Role: apiv1.SwitchRole_SWITCH_ROLE_SPINE, Loopback: fmt.Sprintf("10.255.0.%d", n),
		Ports: []*apiv1.SwitchPort{{Name: "swp1", Role: apiv1.PortRole_PORT_ROLE_UPLINK}, {Name: "swp2", Role: apiv1.PortRole_PORT_ROLE_UPLINK}},
	}
}

// fabric is a rack of two leaves under a spine, with two machines that are free, and network blue.
type fabric struct {
	*clients
	switches map[string]*simswitch.Switch
}

func startFabric(t *testing.T) *fabric {
	t.Helper()
	f := &fabric{clients: start(t), switches: map[string]*simswitch.Switch{}}
	ctx := t.Context()
	for _, r := range []*apiv1.CreateSwitchRequest{leafRequest("leaf01", 1), leafRequest("leaf02", 2), spineRequest("spine01", 1)} {
		must(t)(f.clients.switches.CreateSwitch(ctx, r))
		sw, err := simswitch.Start(ctx, f.etcd, r.GetId())
		if err != nil {
			t.Fatal(err)
		}
		f.switches[r.GetId()] = sw
		t.Cleanup(func() {
			if err := sw.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	for n := 1; n <= 2; n++ {
		chassis := fmt.Sprintf("02:00:5e:10:%02x:00", n)
		for i, leaf := range []string{"leaf01", "leaf02"} {
			neighbour := simswitch.Machine(fmt.Sprintf("machine%02d", n), chassis, fmt.Sprintf("02:00:5e:10:%02x:%02x", n, i+1))
			if err := f.switches[leaf].Hear(ctx, fmt.Sprintf("swp%d", n), neighbour); err != nil {
				t.Fatal(err)
			}
		}
		must(t)(f.machines.AdoptMachine(ctx, &apiv1.AdoptMachineRequest{Id: fmt.Sprintf("machine%02d", n), ChassisMac: chassis}))
		f.await(t, fmt.Sprintf("machine%02d", n), apiv1.MachineState_MACHINE_STATE_FREE)
	}
	must(t)(f.networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{Id: "blue", Prefixes: []string{"10.1.0.0/24", "fd01::/64"}}))
	return f
}

// must is for calls whose failure ends the test: must(t)(client.Call(ctx, request)).
func must(t *testing.T) func(any, error) {
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// await waits until a machine is in a state.
func (f *fabric) await(t *testing.T, machine string, want apiv1.MachineState) {
	t.Helper()
	f.eventually(t, fmt.Sprintf("%s is %s", machine, want), func(ctx context.Context) (string, bool) {
		m, err := f.machines.GetMachine(ctx, &apiv1.GetMachineRequest{Id: machine})
		return fmt.Sprint(m, err), err == nil && m.GetState() == want
	})
}

func (c *clients) eventually(t *testing.T, what string, holds func(context.Context) (string, bool)) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		seen, ok := holds(t.Context())
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after ten seconds it does not hold that %s: %s", what, seen)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func allocationOf(id, machine string) *apiv1.CreateAllocationRequest {
	return &apiv1.CreateAllocationRequest{Id: id, Machine: machine, Attachments: []*apiv1.Attachment{{Network: "blue"}}}
}

// refused checks the code of an error and that its message says something of use.
func refused(t *testing.T, err error, code codes.Code) *status.Status {
	t.Helper()
	st := status.Convert(err)
	if st.Code() != code {
		t.Errorf("code %s, want %s: %s", st.Code(), code, st.Message())
	}
	return st
}
