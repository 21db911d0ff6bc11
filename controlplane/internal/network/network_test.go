package network_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pointsman/pointsman/controlplane/internal/etcdtest"
	"github.com/pointsman/pointsman/controlplane/internal/network"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range texts {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func start(t *testing.T, endpoint string, quarantine time.Duration) (*network.Service, *store.Store) {
	s := etcdtest.Store(t, endpoint, nil)
	return network.New(s, quarantine), s
}

var call = store.Call{Caller: "test", Method: "Test"}

// refused asserts a refusal of a kind whose text says something.
func refused(t *testing.T, err error, kind store.Kind, says ...string) {
	t.Helper()
	var r *store.Refusal
	if !errors.As(err, &r) || r.Kind != kind {
		t.Errorf("got %v, want a refusal of kind %d", err, kind)
		return
	}
	for _, s := range says {
		if !strings.Contains(r.Text, s) {
			t.Errorf("%q does not say %q", r.Text, s)
		}
	}
}

func TestCreateAndDelete(t *testing.T) {
	endpoint := etcdtest.Start(t)
	s, st := start(t, endpoint, time.Second)
	ctx := t.Context()
	before := etcdtest.All(t, st.Client(), keys.Networks)
	pool, err := s.Create(ctx, call, network.CreateRequest{
		Project: "default", ID: "tenants", Kind: netmodel.NetworkPool, Prefixes: prefixes("10.0.0.0/22", "fd00::/48"), DefaultIPv4Length: 24, DefaultIPv6Length: 64,
	})
	if err != nil || pool.VNI != 0 || pool.VRF != "" {
		t.Fatalf("pool %+v, %v", pool, err)
	}
	seen := map[netip.Prefix]bool{}
	for i := range 4 {
		n, err := s.Create(ctx, call, network.CreateRequest{Project: "default", ID: fmt.Sprintf("n%d", i), Pool: "tenants"})
		if err != nil {
			t.Fatal(err)
		}
		if len(n.Prefixes) != 2 || n.Prefixes[0].Bits() != 24 || n.Prefixes[1].Bits() != 64 || seen[n.Prefixes[0]] || seen[n.Prefixes[1]] {
			t.Errorf("carved %v", n.Prefixes)
		}
		if n.Kind != netmodel.NetworkPrivate || n.VNI < netmodel.FirstVNI || n.VRF != netmodel.VRFName(n.VNI) {
			t.Errorf("network %+v", n)
		}
		seen[n.Prefixes[0]], seen[n.Prefixes[1]] = true, true
	}
	_, err = s.Create(ctx, call, network.CreateRequest{Project: "default", ID: "n4", Pool: "tenants"})
	refused(t, err, store.Exhausted, "tenants", "IPv4 /24")
	refused(t, s.Delete(ctx, call, "default", "tenants"), store.Precondition, "8 are carved")

	// What is given back is carved again.
	gone, err := s.Get("default", "n2")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, call, "default", "n2"); err != nil {
		t.Fatal(err)
	}
	again, err := s.Create(ctx, call, network.CreateRequest{Project: "default", ID: "n2", Pool: "tenants"})
	if err != nil || again.Prefixes[0] != gone.Prefixes[0] {
		t.Errorf("carved %v, %v; want %v again", again.Prefixes, err, gone.Prefixes)
	}
	if again.VNI == gone.VNI {
		t.Errorf("VNI %d was handed out again at once", gone.VNI)
	}
	for _, n := range s.List("default", netmodel.NetworkPrivate) {
		if err := s.Delete(ctx, call, "default", n.ID); err != nil {
			t.Error(err)
		}
	}
	if err := s.Delete(ctx, call, "default", "tenants"); err != nil {
		t.Error(err)
	}
	if after := etcdtest.All(t, st.Client(), keys.Networks); len(after) != len(before) {
		t.Errorf("left: %v", after)
	}
	// etcd ends the quarantine by itself.
	etcdtest.Eventually(t, func() error {
		if left := etcdtest.All(t, st.Client(), keys.VNIs); len(left) > 0 {
			return fmt.Errorf("VNIs %v", left)
		}
		return nil
	})
}

func TestCreateIsRefused(t *testing.T) {
	s, _ := start(t, etcdtest.Start(t), time.Minute)
	ctx := t.Context()
	for _, r := range []network.CreateRequest{
		{Project: "default", ID: "blue", Prefixes: prefixes("10.1.0.0/24", "fd01::/64")},
		{Project: "default", ID: "pool", Kind: netmodel.NetworkPool, Prefixes: prefixes("10.64.0.0/16")},
	} {
		if _, err := s.Create(ctx, call, r); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name string
		r    network.CreateRequest
		kind store.Kind
		says string
	}{
		{"same id", network.CreateRequest{Project: "default", ID: "blue", Prefixes: prefixes("10.9.0.0/24")}, store.Exists, `"blue"`},
		{"same id in another project", network.CreateRequest{Project: "other", ID: "blue", Prefixes: prefixes("10.9.0.0/24")}, store.Exists, "unique across projects"},
		{"overlap", network.CreateRequest{Project: "default", ID: "x", Prefixes: prefixes("10.1.0.128/25")}, store.Precondition, `overlaps 10.1.0.0/24 of network "blue"`},
		{"overlap with a pool", network.CreateRequest{Project: "default", ID: "x", Prefixes: prefixes("10.0.0.0/8")}, store.Precondition, "overlaps"},
		{"inside a pool", network.CreateRequest{Project: "default", ID: "x", Prefixes: prefixes("10.64.1.0/24")}, store.Precondition, "carve from it"},
		{"overlap with itself", network.CreateRequest{Project: "default", ID: "x", Prefixes: prefixes("10.9.0.0/24", "10.9.0.0/25")}, store.Invalid, "overlap"},
		{"host bits", network.CreateRequest{Project: "default", ID: "x", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24")}}, store.Invalid, "10.9.0.0/24"},
		{"neither", network.CreateRequest{Project: "default", ID: "x"}, store.Invalid, "pool"},
		{"no such pool", network.CreateRequest{Project: "default", ID: "x", Pool: "none"}, store.NotFound, `"none"`},
		{"not a pool", network.CreateRequest{Project: "default", ID: "x", Pool: "blue", IPv4Length: 26}, store.Invalid, "not a pool"},
		{"no length", network.CreateRequest{Project: "default", ID: "x", Pool: "pool"}, store.Invalid, "say which"},
		{"too long", network.CreateRequest{Project: "default", ID: "x", Pool: "pool", IPv4Length: 8}, store.Exhausted, "/8"},
		{"announceable over its own", network.CreateRequest{
			Project: "default", ID: "x", Prefixes: prefixes("10.9.0.0/24"), Announceable: []netmodel.Grant{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}},
		}, store.Invalid, "granted to machines one by one"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := s.Create(ctx, call, test.r)
			refused(t, err, test.kind, test.says)
		})
	}
	if got := len(s.List("", "")); got != 2 {
		t.Errorf("%d networks, want 2", got)
	}
}

// TestOverlappingNetworksAtOnce: of networks that overlap, created at once by several replicas, one wins.
func TestOverlappingNetworksAtOnce(t *testing.T) {
	endpoint := etcdtest.Start(t)
	var replicas []*network.Service
	for range 8 {
		s, _ := start(t, endpoint, time.Minute)
		replicas = append(replicas, s)
	}
	const rounds = 10
	for round := range rounds {
		var wg sync.WaitGroup
		for i, s := range replicas {
			wg.Go(func() {
				_, err := s.Create(t.Context(), call, network.CreateRequest{
					Project: "default", ID: fmt.Sprintf("r%d-%d", round, i), Prefixes: prefixes(fmt.Sprintf("10.%d.0.0/%d", round, 16+i)),
				})
				var r *store.Refusal
				if err != nil && (!errors.As(err, &r) || r.Kind != store.Precondition) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	s, _ := start(t, endpoint, time.Minute)
	if all := s.List("", ""); len(all) != rounds {
		t.Errorf("%d networks, want one a round, which are %d", len(all), rounds)
	}
}

func TestAddresses(t *testing.T) {
	s, st := start(t, etcdtest.Start(t), time.Second)
	ctx := t.Context()
	if _, err := s.Create(ctx, call, network.CreateRequest{Project: "default", ID: "blue", Prefixes: prefixes("10.1.0.0/29", "fd01::/64")}); err != nil {
		t.Fatal(err)
	}
	ask := func(r network.IPRequest) (netmodel.IP, error) {
		r.Project, r.Network = "default", "blue"
		return s.CreateIP(ctx, call, r)
	}
	for a, says := range map[string]string{"10.1.0.0": "network or broadcast", "10.1.0.7": "network or broadcast", "10.2.0.1": "in none of"} {
		_, err := ask(network.IPRequest{Address: netip.MustParseAddr(a)})
		refused(t, err, store.Invalid, says)
	}
	_, err := ask(network.IPRequest{})
	refused(t, err, store.Invalid, "say which family")
	given := netip.MustParseAddr("10.1.0.3")
	if ip, err := ask(network.IPRequest{Address: given}); err != nil || ip.Kind != netmodel.IPStatic || ip.State != netmodel.IPHeld {
		t.Fatalf("%+v, %v", ip, err)
	}
	_, err = ask(network.IPRequest{Address: given})
	refused(t, err, store.Exists, "held already")
	held := map[netip.Addr]bool{given: true}
	for range 5 {
		ip, err := ask(network.IPRequest{Family: network.IPv4})
		if err != nil || held[ip.Address] {
			t.Fatalf("%+v, %v", ip, err)
		}
		held[ip.Address] = true
	}
	_, err = ask(network.IPRequest{Family: network.IPv4})
	refused(t, err, store.Exhausted, "IPv4", `"blue"`)
	if ip, err := ask(network.IPRequest{Family: network.IPv6}); err != nil || !ip.Address.Is6() {
		t.Errorf("%+v, %v", ip, err)
	}
	refused(t, s.Delete(ctx, call, "default", "blue"), store.Precondition, "7 addresses held")

	// A released address rests, and comes back.
	if err := s.DeleteIP(ctx, call, "default", "blue", given); err != nil {
		t.Fatal(err)
	}
	refused(t, s.DeleteIP(ctx, call, "default", "blue", given), store.NotFound, "quarantine")
	_, err = ask(network.IPRequest{Address: given})
	refused(t, err, store.Exists, "quarantine")
	etcdtest.Eventually(t, func() error {
		ip, err := ask(network.IPRequest{Family: network.IPv4})
		if err == nil && ip.Address != given {
			t.Errorf("got %s, want %s", ip.Address, given)
		}
		return err
	})
	for _, ip := range s.ListIPs("default", "blue") {
		if err := s.DeleteIP(ctx, call, "default", "blue", ip.Address); err != nil {
			t.Error(err)
		}
	}
	refused(t, s.Delete(ctx, call, "default", "blue"), store.Precondition, "rest in quarantine")
	etcdtest.Eventually(t, func() error { return s.Delete(ctx, call, "default", "blue") })
	if left := etcdtest.All(t, st.Client(), keys.IPs); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
