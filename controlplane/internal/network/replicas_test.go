package network_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pointsman/pointsman/controlplane/internal/etcdtest"
	"github.com/pointsman/pointsman/controlplane/internal/network"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// TestReplicasHandOutEachAddressOnce: four replicas hand out and take back some ten thousand addresses of one network in random
// order, and callers give up midway. No address has two holders at a time, and none is lost: in the end etcd holds exactly what
// callers were given and did not return, and what the calls that were given up may have taken.
func TestReplicasHandOutEachAddressOnce(t *testing.T) {
	endpoint := etcdtest.Start(t)
	first, _ := start(t, endpoint, 0)
	if _, err := first.Create(t.Context(), call, network.CreateRequest{Project: "default", ID: "big", Prefixes: prefixes("10.0.0.0/19")}); err != nil {
		t.Fatal(err)
	}
	const replicas, clients, each, capacity = 4, 4, 1000, 8190
	ledger := &ledger{held: map[netip.Addr]string{}, unsure: map[string]bool{}}
	var wg sync.WaitGroup
	for r := range replicas {
		s, _ := start(t, endpoint, 0)
		for c := range clients {
			wg.Go(func() { ledger.client(t, s, fmt.Sprintf("r%dc%d", r, c), each) })
		}
	}
	wg.Wait()
	t.Logf("%d addresses handed out, %d given up midway, %d held at the end", ledger.handedOut, len(ledger.unsure), len(ledger.held))
	if ledger.handedOut+len(ledger.unsure) < 9000 || len(ledger.unsure) == 0 {
		t.Errorf("the test did too little: %d handed out, %d given up", ledger.handedOut, len(ledger.unsure))
	}
	ledger.compare(t, endpoint)
	ledger.fill(t, first, capacity)
}

// ledger is what callers know.
type ledger struct {
	mu        sync.Mutex
	held      map[netip.Addr]string // address to description
	unsure    map[string]bool       // descriptions of calls that were given up
	handedOut int
}

// client takes and returns addresses at random. Some calls are given up while they run: their outcome is unknown.
func (l *ledger) client(t *testing.T, s *network.Service, name string, rounds int) {
	var mine []netip.Addr
	for i := range rounds {
		if len(mine) > 0 && rand.IntN(3) == 0 {
			a := mine[len(mine)-1]
			mine = mine[:len(mine)-1]
			// Noted before: another client may have it as soon as etcd has it back.
			l.mu.Lock()
			delete(l.held, a)
			l.mu.Unlock()
			if err := s.DeleteIP(t.Context(), call, "default", "big", a); err != nil {
				t.Errorf("return %s: %v", a, err)
			}
			continue
		}
		ctx, cancel := context.WithCancel(t.Context())
		if rand.IntN(10) == 0 {
			time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, cancel)
		}
		request := network.IPRequest{Project: "default", Network: "big", Family: network.IPv4, Description: fmt.Sprintf("%s-%d", name, i)}
		ip, err := s.CreateIP(ctx, call, request)
		abandoned := ctx.Err() != nil
		cancel()
		l.mu.Lock()
		switch {
		case err == nil:
			if holder, ok := l.held[ip.Address]; ok {
				t.Errorf("%s was handed out to %s and to %s", ip.Address, holder, request.Description)
			}
			l.held[ip.Address] = request.Description
			l.handedOut++
			mine = append(mine, ip.Address)
		case abandoned:
			l.unsure[request.Description] = true
		default:
			t.Errorf("%s: %v", request.Description, err)
		}
		l.mu.Unlock()
	}
}

// compare asserts that etcd holds what callers hold, and nothing else but what abandoned calls took, and at most once each.
func (l *ledger) compare(t *testing.T, endpoint string) {
	took := map[string]bool{}
	stored := map[netip.Addr]bool{}
	for key, value := range etcdtest.All(t, etcdtest.Client(t, endpoint), keys.NetworkIPs("big")) {
		ip, err := wire.IPCodec.Decode([]byte(value))
		if err != nil {
			t.Fatal(err)
		}
		stored[ip.Address] = true
		switch {
		case key != keys.IP("big", ip.Address) || ip.State != netmodel.IPHeld:
			t.Errorf("%s holds %+v", key, ip)
		case l.held[ip.Address] == ip.Description:
		case l.unsure[ip.Description] && !took[ip.Description]:
			took[ip.Description] = true
		default:
			t.Errorf("%s is held as %q, which nobody holds", ip.Address, ip.Description)
		}
	}
	for a, holder := range l.held {
		if !stored[a] {
			t.Errorf("%s was handed out to %s and is lost", a, holder)
		}
	}
}

// fill takes what is left: nothing is lost if all of it can be taken.
func (l *ledger) fill(t *testing.T, s *network.Service, capacity int) {
	free := capacity - len(s.ListIPs("", "big"))
	for range free {
		if _, err := s.CreateIP(t.Context(), call, network.IPRequest{Project: "default", Network: "big", Family: network.IPv4}); err != nil {
			t.Fatalf("%d are free, but: %v", free, err)
		}
	}
	if _, err := s.CreateIP(t.Context(), call, network.IPRequest{Project: "default", Network: "big", Family: network.IPv4}); err == nil {
		t.Error("a full network hands out an address")
	}
}
