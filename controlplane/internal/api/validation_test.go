package api_test

import (
	"strings"
	"testing"

	validatepb "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// TestInvalidRequestsNameTheFieldAndTheRemedy: a caller needs no manual to correct a request.
func TestInvalidRequestsNameTheFieldAndTheRemedy(t *testing.T) {
	c := start(t)
	ctx := t.Context()
	leaf := func(change func(*apiv1.CreateSwitchRequest)) *apiv1.CreateSwitchRequest {
		r := leafRequest("leaf09", 9)
		change(r)
		return r
	}
	for _, test := range []struct {
		name string
		call func() error
		says []string
	}{
		{"network id", func() error {
			_, err := c.networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{Id: "Blue", Prefixes: []string{"10.1.0.0/24"}})
			return err
		}, []string{"id: must be a DNS label", `it is "Blue"`}},
		{"prefix with host bits", func() error {
			_, err := c.networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{Prefixes: []string{"10.0.0.0/24", "10.1.0.1/24"}})
			return err
		}, []string{"prefixes[1]: must be an IPv4 or IPv6 prefix without host bits", `it is "10.1.0.1/24"`}},
		{"prefixes and pool", func() error {
			_, err := c.networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{Prefixes: []string{"10.1.0.0/24"}, Pool: "tenants"})
			return err
		}, []string{"prefixes and pool exclude each other"}},
		{"unknown kind", func() error {
			_, err := c.networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{Kind: 99})
			return err
		}, []string{"kind: "}},
		{"announceable", func() error {
			_, err := c.networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{Announceable: []*apiv1.Announceable{{Prefix: "10.244.0.0"}}})
			return err
		}, []string{"announceable[0].prefix: must be an IPv4 or IPv6 prefix"}},
		{"long request id", func() error {
			_, err := c.networks.CreateNetwork(ctx, &apiv1.CreateNetworkRequest{RequestId: strings.Repeat("x", 129)})
			return err
		}, []string{"request_id: "}},
		{"ip without network", func() error {
			_, err := c.ips.CreateIP(ctx, &apiv1.CreateIPRequest{})
			return err
		}, []string{"network: "}},
		{"ip address", func() error {
			_, err := c.ips.CreateIP(ctx, &apiv1.CreateIPRequest{Network: "blue", Address: "10.1.0"})
			return err
		}, []string{"address: must be an IPv4 or IPv6 address, or empty for the next free one", `it is "10.1.0"`}},
		{"machine without identity", func() error {
			_, err := c.machines.AdoptMachine(ctx, &apiv1.AdoptMachineRequest{Id: "machine01"})
			return err
		}, []string{"give system_uuid, chassis_mac or port_macs"}},
		{"machine MAC", func() error {
			_, err := c.machines.AdoptMachine(ctx, &apiv1.AdoptMachineRequest{PortMacs: []string{"02:00"}})
			return err
		}, []string{"port_macs[0]: must be a MAC address, such as"}},
		{"override without reason", func() error {
			_, err := c.machines.OverrideMachineRelease(ctx, &apiv1.OverrideMachineReleaseRequest{Id: "machine01"})
			return err
		}, []string{"reason: "}},
		{"switch role", func() error {
			_, err := c.switches.CreateSwitch(ctx, leaf(func(r *apiv1.CreateSwitchRequest) { r.Role = 0 }))
			return err
		}, []string{"role: "}},
		{"switch loopback", func() error {
			_, err := c.switches.CreateSwitch(ctx, leaf(func(r *apiv1.CreateSwitchRequest) { r.Loopback = "fd00::1" }))
			return err
		}, []string{"loopback: ", `it is "fd00::1"`}},
		{"port name", func() error {
			_, err := c.switches.CreateSwitch(ctx, leaf(func(r *apiv1.CreateSwitchRequest) { r.Ports[0].Name = "Ethernet 0/1" }))
			return err
		}, []string{"ports[0].name: must be the name of a network interface"}},
		{"port role", func() error {
			_, err := c.switches.CreateSwitch(ctx, leaf(func(r *apiv1.CreateSwitchRequest) { r.Ports[0].Role = 0 }))
			return err
		}, []string{"ports[0].role: "}},
		{"provisioning VLAN", func() error {
			_, err := c.switches.CreateSwitch(ctx, leaf(func(r *apiv1.CreateSwitchRequest) { r.Provisioning.Vlan = 4095 }))
			return err
		}, []string{"provisioning.vlan: ", "it is 4095"}},
		{"provisioning address", func() error {
			_, err := c.switches.CreateSwitch(ctx, leaf(func(r *apiv1.CreateSwitchRequest) { r.Provisioning.Addresses = []string{"10.1.1.1"} }))
			return err
		}, []string{"provisioning.addresses[0]: must be an address with its prefix length"}},
		{"no attachment", func() error {
			_, err := c.allocations.CreateAllocation(ctx, &apiv1.CreateAllocationRequest{})
			return err
		}, []string{"attachments: "}},
		{"attachment without network", func() error {
			_, err := c.allocations.CreateAllocation(ctx, &apiv1.CreateAllocationRequest{Attachments: []*apiv1.Attachment{{}}})
			return err
		}, []string{"attachments[0].network: "}},
		{"attachment's address", func() error {
			_, err := c.allocations.UpdateAllocation(ctx, &apiv1.UpdateAllocationRequest{Id: "web1", Attachments: []*apiv1.Attachment{{Network: "blue", Addresses: []string{"x"}}}})
			return err
		}, []string{"attachments[0].addresses[0]: ", `it is "x"`}},
		{"watch of nothing", func() error {
			stream, err := c.allocations.WatchReceipt(ctx, &apiv1.WatchReceiptRequest{})
			if err != nil {
				return err
			}
			_, err = stream.Recv()
			return err
		}, []string{"id: "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			st := status.Convert(test.call())
			if st.Code() != codes.InvalidArgument {
				t.Fatalf("code %s, want InvalidArgument: %s", st.Code(), st.Message())
			}
			for _, want := range test.says {
				if !strings.Contains(st.Message(), want) {
					t.Errorf("says %q, want %q", st.Message(), want)
				}
			}
			if details := st.Details(); len(details) != 1 {
				t.Errorf("has %d details, want the violations", len(details))
			} else if _, ok := details[0].(*validatepb.Violations); !ok {
				t.Errorf("detail is %T", details[0])
			}
		})
	}
}
