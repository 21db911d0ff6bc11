package allocate_test

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pointsman/pointsman/controlplane/internal/allocate"
	"github.com/pointsman/pointsman/controlplane/internal/etcdtest"
	"github.com/pointsman/pointsman/controlplane/internal/network"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// TestTwentyForFour: of twenty allocations at once for four machines, by three replicas, exactly four win and nothing leaks.
func TestTwentyForFour(t *testing.T) {
	endpoint := etcdtest.Start(t)
	f := build(t, start(t, endpoint, time.Second), 2, 2)
	replicas := []*replica{f.replica, start(t, endpoint, time.Second), start(t, endpoint, time.Second)}
	f.network(t, "blue", "10.1.0.0/24", "fd01::/64")
	before := world(t, f.st)
	for round := range 5 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := map[string]netmodel.AllocationView{}
		for i := range 20 {
			wg.Go(func() {
				a, err := replicas[i%3].allocations.Create(t.Context(), call, allocate.Request{Project: "default", Attachments: in("blue")})
				if err != nil {
					refused(t, err, store.Exhausted, "no machine is free", "4 allocated")
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if other, ok := won[a.Machine]; ok {
					t.Errorf("machine %s went to %s and %s", a.Machine, other.ID, a.ID)
				}
				won[a.Machine] = a
			})
		}
		wg.Wait()
		if len(won) != 4 {
			t.Errorf("round %d: %d won", round, len(won))
		}
		consistent(t, f.st)
		for _, a := range won {
			f.reached(t, a.ID)
		}
		for _, a := range won {
			if _, err := replicas[round%3].allocations.Release(t.Context(), call, "default", a.ID); err != nil {
				t.Error(err)
			}
		}
		consistent(t, f.st)
		f.allFree(t)
	}
	etcdtest.Eventually(t, func() error { return differ(before, world(t, f.st)) })
}

// TestSpread: a project's machines of one network go to different racks.
func TestSpread(t *testing.T) {
	f := build(t, start(t, etcdtest.Start(t), time.Minute), 3, 2)
	f.network(t, "blue", "10.1.0.0/24")
	f.network(t, "red", "10.2.0.0/24")
	for range 2 {
		racks := map[string]bool{}
		for range 3 {
			racks[f.allocate(t, "blue", "").Rack] = true
		}
		if len(racks) != 3 {
			t.Errorf("three machines of one network are in racks %v", racks)
		}
	}
	_, err := f.allocations.Create(t.Context(), call, allocate.Request{Project: "default", Rack: "rack2", Attachments: in("red")})
	refused(t, err, store.Exhausted, `in rack "rack2"`, "2 allocated")
	consistent(t, f.st)
}

// TestQuarantine: what is released rests, and comes back.
func TestQuarantine(t *testing.T) {
	f := build(t, start(t, etcdtest.Start(t), 2*time.Second), 1, 2)
	f.network(t, "tiny", "10.1.0.0/31")
	a, b := f.allocate(t, "tiny", ""), f.allocate(t, "tiny", "")
	if a.ASN == b.ASN || a.Attachments[0].Addresses[0] == b.Attachments[0].Addresses[0] {
		t.Errorf("%+v and %+v share a number", a, b)
	}
	if _, err := f.allocations.Release(t.Context(), call, "default", a.ID); err != nil {
		t.Fatal(err)
	}
	_, err := f.allocations.Get("default", a.ID)
	refused(t, err, store.NotFound, a.ID)
	etcdtest.Eventually(t, func() error {
		if n := len(f.inventory.ListMachines(netmodel.MachineFree, "")); n != 1 {
			return fmt.Errorf("%d are free", n)
		}
		return nil
	})
	_, err = f.allocations.Create(t.Context(), call, allocate.Request{Project: "default", Attachments: in("tiny")})
	refused(t, err, store.Exhausted, `"tiny"`, "IPv4", "quarantine")
	f.st.Read(func(d *store.Data) {
		if d.ASNs.Value(a.ASN).State != netmodel.IPQuarantined || d.ASNs.Value(b.ASN).State != netmodel.IPHeld {
			t.Errorf("ASNs: %+v", d.ASNs)
		}
	})
	var again netmodel.AllocationView
	etcdtest.Eventually(t, func() error {
		again, err = f.allocations.Create(t.Context(), call, allocate.Request{Project: "default", Attachments: in("tiny")})
		return err
	})
	if again.Attachments[0].Addresses[0] != a.Attachments[0].Addresses[0] {
		t.Errorf("got %v, want what %v had", again.Attachments, a.Attachments)
	}
	consistent(t, f.st)
}

// TestALeafThatIsAwayKeepsItsMachineAway: free means proven free.
func TestALeafThatIsAwayKeepsItsMachineAway(t *testing.T) {
	f := build(t, start(t, etcdtest.Start(t), time.Second), 1, 1)
	f.network(t, "blue", "10.1.0.0/24")
	a := f.allocate(t, "blue", "")
	f.reached(t, a.ID)
	f.switches["leaf02"].Silence()
	pending, err := f.allocations.Release(t.Context(), call, "default", a.ID)
	if err != nil || len(pending) != 2 {
		t.Fatalf("%+v, %v", pending, err)
	}
	waits := func() error {
		m, err := f.inventory.GetMachine(a.Machine)
		if err != nil || m.State != netmodel.MachineReleasing || len(m.PendingRelease) != 1 || m.PendingRelease[0].Switch != "leaf02" {
			return fmt.Errorf("%+v (%w)", m, err)
		}
		return nil
	}
	etcdtest.Eventually(t, waits)
	try := func(machine string, kind store.Kind) {
		t.Helper()
		_, err := f.allocations.Create(t.Context(), call, allocate.Request{Project: "default", Machine: machine, Attachments: in("blue")})
		refused(t, err, kind, "leaf02")
	}
	try(a.Machine, store.Precondition)
	try("", store.Exhausted)
	if err := f.switches["leaf02"].Die(t.Context()); err != nil {
		t.Fatal(err)
	}
	etcdtest.Eventually(t, func() error {
		if sw, err := f.inventory.GetSwitch("leaf02"); err != nil || sw.Alive {
			return fmt.Errorf("%+v (%w)", sw, err)
		}
		return nil
	})
	if err := waits(); err != nil {
		t.Error(err)
	}
	try(a.Machine, store.Precondition)
	f.boot(t, "leaf02")
	f.allFree(t)
	f.reached(t, f.allocate(t, "blue", a.Machine).ID)
}

// TestOverride: an operator frees a machine whose leaf will not come back; it still cannot be allocated through that leaf.
func TestOverride(t *testing.T) {
	f := build(t, start(t, etcdtest.Start(t), time.Second), 1, 1)
	f.network(t, "blue", "10.1.0.0/24")
	a := f.allocate(t, "blue", "")
	f.switches["leaf02"].Silence()
	if _, err := f.allocations.Release(t.Context(), call, "default", a.ID); err != nil {
		t.Fatal(err)
	}
	refused(t, f.inventory.DeleteMachine(t.Context(), call, a.Machine), store.Precondition, "override")
	m, err := f.inventory.OverrideRelease(t.Context(), store.Call{Caller: "op", Method: "Override", Reason: "leaf02 burnt"}, a.Machine)
	if err != nil || len(m.PendingRelease) != 0 || m.State != netmodel.MachineFaulty {
		t.Errorf("%+v, %v", m, err)
	}
	_, err = f.allocations.Create(t.Context(), call, allocate.Request{Project: "default", Machine: a.Machine, Attachments: in("blue")})
	refused(t, err, store.Precondition, "is faulty", "leaf02", "put that right")
	if err := f.inventory.DeleteMachine(t.Context(), call, a.Machine); err != nil {
		t.Error(err)
	}
}

func TestRequestIDs(t *testing.T) {
	endpoint := etcdtest.Start(t)
	f := build(t, start(t, endpoint, time.Second), 1, 2)
	other := start(t, endpoint, time.Second)
	f.network(t, "blue", "10.1.0.0/24")
	create := store.Call{Caller: "alice", Method: "Create", RequestID: "r1", RequestHash: "h"}
	request := allocate.Request{Project: "default", Attachments: in("blue")}
	a, err := f.allocations.Create(t.Context(), create, request)
	if err != nil {
		t.Fatal(err)
	}
	again, err := other.allocations.Create(t.Context(), create, request)
	if err != nil || again.ID != a.ID || again.Machine != a.Machine {
		t.Errorf("repeated: %+v, %v; want %+v", again, err, a)
	}
	release := store.Call{Caller: "alice", Method: "Release", RequestID: "r1", RequestHash: "h"}
	first, err := f.allocations.Release(t.Context(), release, "default", a.ID)
	if err != nil {
		t.Fatal(err)
	}
	second, err := other.allocations.Release(t.Context(), release, "default", a.ID)
	if err != nil || !slices.Equal(first, second) {
		t.Errorf("repeated: %+v, %v; want %+v", second, err, first)
	}
	consistent(t, f.st)
}

// TestMove: same ASN, new addresses, one generation on, in one transaction.
func TestMove(t *testing.T) {
	f := build(t, start(t, etcdtest.Start(t), time.Minute), 2, 1)
	blue, red := f.network(t, "blue", "10.1.0.0/24", "fd01::/64"), f.network(t, "red", "10.2.0.0/24")
	a := f.allocate(t, "blue", "")
	f.reached(t, a.ID)
	moved, err := f.allocations.Move(t.Context(), call, "default", a.ID, in("red"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if moved.ASN != a.ASN || moved.Machine != a.Machine || moved.Generation != 2 || len(moved.Attachments[0].Addresses) != 1 || !red.Prefixes[0].Contains(moved.Attachments[0].Addresses[0]) {
		t.Errorf("moved to %+v", moved)
	}
	consistent(t, f.st)
	receipt := f.reached(t, a.ID)
	if receipt.Generation != 2 || len(receipt.Stamps) != 4 || receipt.Degraded {
		t.Errorf("receipt %+v", receipt)
	}
	f.st.Read(func(d *store.Data) {
		for _, p := range moved.Ports {
			if i := d.Intents.Value(store.Port{Switch: p.Switch, Port: p.Port}); i.VNI != red.VNI || i.VNI == blue.VNI || i.PeerASN != a.ASN {
				t.Errorf("intent %+v", i)
			}
		}
		for _, address := range a.Attachments[0].Addresses {
			if ip := d.IPs.Value(store.Address{Network: "blue", Address: address}); ip.State != netmodel.IPQuarantined {
				t.Errorf("%+v", ip)
			}
		}
	})
	_, err = f.allocations.Move(t.Context(), call, "default", a.ID, in("nowhere"), 0)
	refused(t, err, store.NotFound, "nowhere")
	_, err = f.allocations.Move(t.Context(), call, "default", "none", in("blue"), 0)
	refused(t, err, store.NotFound, "none")
}

// TestAddresses: static addresses are given, granted and kept.
func TestAddresses(t *testing.T) {
	f := build(t, start(t, etcdtest.Start(t), time.Minute), 1, 2)
	f.network(t, "blue", "10.1.0.0/24", "fd01::/64")
	own, service := netip.MustParseAddr("10.1.0.9"), netip.MustParseAddr("10.1.0.80")
	wish := netmodel.Attachment{Network: "blue", Addresses: []netip.Addr{own}, ServiceAddresses: []netip.Addr{service}}
	request := allocate.Request{Project: "default", Attachments: []netmodel.Attachment{wish}}
	_, err := f.allocations.Create(t.Context(), call, request)
	refused(t, err, store.Precondition, own.String())
	for _, address := range []netip.Addr{own, service} {
		if _, err := f.networks.CreateIP(t.Context(), call, network.IPRequest{Project: "default", Network: "blue", Address: address}); err != nil {
			t.Fatal(err)
		}
	}
	a, err := f.allocations.Create(t.Context(), call, request)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Attachments[0]; len(got.Addresses) != 2 || !slices.Contains(got.Addresses, own) || len(got.ServiceAddresses) != 1 {
		t.Errorf("attachment %+v", got)
	}
	consistent(t, f.st)
	f.st.Read(func(d *store.Data) {
		for _, p := range a.Ports {
			if i := d.Intents.Value(store.Port{Switch: p.Switch, Port: p.Port}); len(i.Grants) != 3 {
				t.Errorf("grants %+v", i.Grants)
			}
		}
	})
	// Another machine may announce the same service address, but not have the same address of its own.
	_, err = f.allocations.Create(t.Context(), call, request)
	refused(t, err, store.Precondition, own.String(), a.ID)
	request.Attachments[0].Addresses = nil
	b, err := f.allocations.Create(t.Context(), call, request)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []netip.Addr{own, service} {
		refused(t, f.networks.DeleteIP(t.Context(), call, "default", "blue", address), store.Precondition, address.String())
	}
	for _, id := range []string{a.ID, b.ID} {
		if _, err := f.allocations.Release(t.Context(), call, "default", id); err != nil {
			t.Fatal(err)
		}
	}
	for _, address := range []netip.Addr{own, service} {
		ip, err := f.networks.GetIP("default", "blue", address)
		if err != nil || ip.State != netmodel.IPHeld || ip.Allocation != "" {
			t.Errorf("after release: %+v, %v", ip, err)
		}
		if err := f.networks.DeleteIP(t.Context(), call, "default", "blue", address); err != nil {
			t.Error(err)
		}
	}
	consistent(t, f.st)
}

// TestSharedNetwork: a project is allocated in a network that another one shares, or that leads outside, and the compiler agrees.
func TestSharedNetwork(t *testing.T) {
	for _, kind := range []netmodel.NetworkKind{netmodel.NetworkShared, netmodel.NetworkExternal} {
		t.Run(string(kind), func(t *testing.T) { sharedNetwork(t, kind) })
	}
}

func sharedNetwork(t *testing.T, kind netmodel.NetworkKind) {
	f := build(t, start(t, etcdtest.Start(t), time.Minute), 1, 1)
	if _, err := f.networks.Create(t.Context(), call, network.CreateRequest{
		Project: "provider", ID: "common", Kind: kind, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.7.0.0/24")},
	}); err != nil {
		t.Fatal(err)
	}
	a := f.allocate(t, "common", "")
	f.reached(t, a.ID)
	consistent(t, f.st)
	if got, err := f.allocations.Get("default", a.ID); err != nil || got.Generation != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if left := etcdtest.All(t, f.st.Client(), keys.Probes("spine01")); len(left) != 1 {
		t.Errorf("probes: %v", left)
	}
}
