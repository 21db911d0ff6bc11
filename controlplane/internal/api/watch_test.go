package api_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

type networkStream = grpc.ServerStreamingClient[apiv1.WatchNetworksResponse]

func watchNetworks(t *testing.T, c *clients, req *apiv1.WatchNetworksRequest) networkStream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	stream, err := c.networks.WatchNetworks(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// events reads events up to the first bookmark after all that are wanted, and returns its version.
func events(t *testing.T, stream networkStream, want ...string) (version string) {
	t.Helper()
	var got []string
	for {
		e, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %v, waiting for %v: %v", got, want, err)
		}
		if e.GetType() != apiv1.EventType_EVENT_TYPE_BOOKMARK {
			got = append(got, strings.TrimPrefix(e.GetType().String(), "EVENT_TYPE_")+" "+e.GetNetwork().GetId()+e.GetNetwork().GetDescription())
			continue
		}
		if len(got) < len(want) {
			continue
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		return e.GetResourceVersion()
	}
}

func create(t *testing.T, c *clients, id string, n int) *apiv1.Network {
	t.Helper()
	network, err := c.networks.CreateNetwork(t.Context(), &apiv1.CreateNetworkRequest{Id: id, Prefixes: []string{fmt.Sprintf("10.%d.0.0/24", n)}})
	if err != nil {
		t.Fatal(err)
	}
	return network
}

func remove(t *testing.T, c *clients, id string) {
	t.Helper()
	must(t)(c.networks.DeleteNetwork(t.Context(), &apiv1.DeleteNetworkRequest{Id: id}))
}

func describe(t *testing.T, c *clients, id, description string) {
	t.Helper()
	must(t)(c.networks.UpdateNetwork(t.Context(), &apiv1.UpdateNetworkRequest{Id: id, Description: description, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"description"}}}))
}

// TestWatch: from nothing, through each kind of change, and on from a bookmark by another stream, as if it had never ended.
func TestWatch(t *testing.T) {
	c := start(t)
	create(t, c, "blue", 1)
	create(t, c, "red", 2)
	stream := watchNetworks(t, c, &apiv1.WatchNetworksRequest{})
	first := events(t, stream, "ADDED blue", "ADDED red")
	create(t, c, "green", 3)
	events(t, stream, "ADDED green")
	describe(t, c, "red", "!")
	events(t, stream, "MODIFIED red!")
	remove(t, c, "red")
	events(t, stream, "DELETED red!") // with what it was last
	// Changes that a stream was not there for arrive as what they come to.
	create(t, c, "yellow", 4)
	remove(t, c, "yellow")
	later := watchNetworks(t, c, &apiv1.WatchNetworksRequest{ResourceVersion: first})
	now := events(t, later, "DELETED red", "ADDED green")
	describe(t, c, "green", "?")
	events(t, watchNetworks(t, c, &apiv1.WatchNetworksRequest{ResourceVersion: now}), "MODIFIED green?")
	// From a list, too.
	all, err := c.networks.ListNetworks(t.Context(), &apiv1.ListNetworksRequest{})
	if err != nil {
		t.Fatal(err)
	}
	stream = watchNetworks(t, c, &apiv1.WatchNetworksRequest{ResourceVersion: all.GetResourceVersion()})
	events(t, stream)
	remove(t, c, "blue")
	events(t, stream, "DELETED blue")
}

// TestWatchTellsARecreatedObject: it is another one, even if nobody looked in between.
func TestWatchTellsARecreatedObject(t *testing.T) {
	c := start(t)
	create(t, c, "blue", 1)
	from := events(t, watchNetworks(t, c, &apiv1.WatchNetworksRequest{}), "ADDED blue")
	remove(t, c, "blue")
	create(t, c, "blue", 1)
	events(t, watchNetworks(t, c, &apiv1.WatchNetworksRequest{ResourceVersion: from}), "DELETED blue", "ADDED blue")
}

// TestWatchWithAFilter: what begins to match is added, what ceases to is deleted.
func TestWatchWithAFilter(t *testing.T) {
	c := start(t)
	create(t, c, "blue", 1)
	create(t, c, "red", 2)
	stream := watchNetworks(t, c, &apiv1.WatchNetworksRequest{Filter: `description = ""`})
	events(t, stream, "ADDED blue", "ADDED red")
	describe(t, c, "red", "!")
	events(t, stream, "DELETED red!")
	describe(t, c, "red", "")
	events(t, stream, "ADDED red")
	_, err := watchNetworks(t, c, &apiv1.WatchNetworksRequest{Filter: "colour = red"}).Recv()
	refused(t, err, codes.InvalidArgument)
}

func TestWatchOfACompactedState(t *testing.T) {
	c := start(t)
	old := create(t, c, "blue", 1).GetResourceVersion()
	create(t, c, "red", 2)
	now, err := c.etcd.Put(t.Context(), "/elsewhere", "x")
	if err != nil {
		t.Fatal(err)
	}
	must(t)(c.etcd.Compact(t.Context(), now.Header.Revision, clientv3.WithCompactPhysical()))
	_, err = watchNetworks(t, c, &apiv1.WatchNetworksRequest{ResourceVersion: old}).Recv()
	if st := refused(t, err, codes.OutOfRange); !strings.Contains(st.Message(), "list anew") {
		t.Error(st.Message())
	}
	_, err = watchNetworks(t, c, &apiv1.WatchNetworksRequest{ResourceVersion: "yesterday"}).Recv()
	refused(t, err, codes.InvalidArgument)
}

// TestASlowWatcherGetsTheEnd: who does not read while a thousand changes pass gets far fewer events, and the last state.
func TestASlowWatcherGetsTheEnd(t *testing.T) {
	c := start(t)
	create(t, c, "blue", 1)
	stream := watchNetworks(t, c, &apiv1.WatchNetworksRequest{})
	events(t, stream, "ADDED blue")
	const changes = 400
	filler := strings.Repeat("x", 1000) // so that the connection's buffers fill
	for n := range changes {
		describe(t, c, "blue", fmt.Sprint(filler, n))
	}
	last, seen := "", 0
	for !strings.HasSuffix(last, fmt.Sprint(filler, changes-1)) {
		e, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %d events: %v", seen, err)
		}
		if e.GetType() == apiv1.EventType_EVENT_TYPE_MODIFIED {
			last = e.GetNetwork().GetDescription()
			seen++
		}
	}
	if seen >= changes {
		t.Errorf("%d changes came as %d events", changes, seen)
	}
}

// TestWatchEndsWithTheServer: in order, and with a word that says to come back.
func TestWatchEndsWithTheServer(t *testing.T) {
	c := start(t)
	stream := watchNetworks(t, c, &apiv1.WatchNetworksRequest{})
	events(t, stream)
	began := time.Now()
	c.stop()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the stop took %s", took)
	}
	_, err := stream.Recv()
	if status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
}

// TestWatchOfEachKind: an allocation and its release, as each kind shows them, what is computed among it.
func TestWatchOfEachKind(t *testing.T) {
	f := startFabric(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	machines, err := f.machines.WatchMachines(ctx, &apiv1.WatchMachinesRequest{Filter: "id = machine01"})
	if err != nil {
		t.Fatal(err)
	}
	ips, err := f.ips.WatchIPs(ctx, &apiv1.WatchIPsRequest{Network: "blue", Filter: "state = held"})
	if err != nil {
		t.Fatal(err)
	}
	switches, err := f.clients.switches.WatchSwitches(ctx, &apiv1.WatchSwitchesRequest{Filter: `port_views.intent.allocation = web`})
	if err != nil {
		t.Fatal(err)
	}
	allocations, err := f.allocations.WatchAllocations(ctx, &apiv1.WatchAllocationsRequest{Filter: "receipt.phases.phase = reachable"})
	if err != nil {
		t.Fatal(err)
	}
	must(t)(f.allocations.CreateAllocation(ctx, allocationOf("web", "machine01")))
	seek(t, "machine allocated", machines.Recv, func(e *apiv1.WatchMachinesResponse) bool {
		return e.GetMachine().GetState() == apiv1.MachineState_MACHINE_STATE_ALLOCATED
	})
	seek(t, "addresses", ips.Recv, func(e *apiv1.WatchIPsResponse) bool { return e.GetIp().GetAllocation() == "web" })
	seek(t, "port", switches.Recv, func(e *apiv1.WatchSwitchesResponse) bool { return e.GetSwitch().GetId() == "leaf02" })
	seek(t, "reachable", allocations.Recv, func(e *apiv1.WatchAllocationsResponse) bool { return e.GetType() == apiv1.EventType_EVENT_TYPE_ADDED })
	must(t)(f.allocations.DeleteAllocation(ctx, &apiv1.DeleteAllocationRequest{Id: "web"}))
	seek(t, "machine free", machines.Recv, func(e *apiv1.WatchMachinesResponse) bool {
		return e.GetMachine().GetState() == apiv1.MachineState_MACHINE_STATE_FREE
	})
	seek(t, "addresses gone", ips.Recv, func(e *apiv1.WatchIPsResponse) bool { return e.GetType() == apiv1.EventType_EVENT_TYPE_DELETED })
	seek(t, "port gone", switches.Recv, func(e *apiv1.WatchSwitchesResponse) bool { return e.GetType() == apiv1.EventType_EVENT_TYPE_DELETED })
	seek(t, "allocation gone", allocations.Recv, func(e *apiv1.WatchAllocationsResponse) bool {
		return e.GetType() == apiv1.EventType_EVENT_TYPE_DELETED && e.GetAllocation().GetId() == "web"
	})
}

// seek reads a stream up to what is looked for.
func seek[E any](t *testing.T, what string, receive func() (E, error), is func(E) bool) {
	t.Helper()
	for {
		e, err := receive()
		if err != nil {
			t.Fatalf("waiting for %s: %v", what, err)
		}
		if is(e) {
			return
		}
	}
}
