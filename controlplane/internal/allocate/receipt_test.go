package allocate_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pointsman/pointsman/controlplane/internal/etcdtest"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// TestReceipt: phases are stamped in order by evidence alone, within milliseconds of it, whichever of the replicas sees it first.
func TestReceipt(t *testing.T) {
	endpoint := etcdtest.Start(t)
	f := build(t, start(t, endpoint, time.Second), 2, 2)
	start(t, endpoint, time.Second)
	f.network(t, "blue", "10.1.0.0/24")
	other := f.allocate(t, "blue", "machine01")
	f.reached(t, other.ID)
	f.switches["leaf04"].Silence()
	a := f.allocate(t, "blue", "machine03")
	waiting := func(phases int, says string) {
		t.Helper()
		etcdtest.Eventually(t, func() error {
			v, err := f.allocations.Get("default", a.ID)
			if err != nil || len(v.Receipt.Stamps) != phases || !strings.Contains(fmt.Sprint(v.Receipt.WaitingFor), says) {
				return fmt.Errorf("%+v (%w)", v.Receipt, err)
			}
			return nil
		})
	}
	waiting(1, "leaf04 to apply generation")
	// A session of an older generation proves nothing, one of this generation does not either without the port.
	port := a.Ports[slices.IndexFunc(a.Ports, func(p netmodel.AllocationPort) bool { return p.Switch == "leaf04" })]
	session := netmodel.SessionStatus{Port: port.Port, Generation: port.Generation - 1, Established: true, State: "Established"}
	write(t, f.st, keys.SessionStatus("leaf04", port.Port), wire.SessionStatusCodec, session)
	write(t, f.st, keys.PortStatus("leaf04", port.Port), wire.PortStatusCodec, netmodel.PortStatus{
		Port: port.Port, AppliedGeneration: port.Generation, Mode: netmodel.ModeVRF, VRF: intentOf(f.st, port).VRF, AppliedTime: time.Now(),
	})
	waiting(2, "BGP on leaf04")
	begin := time.Now()
	session.Generation = port.Generation
	write(t, f.st, keys.SessionStatus("leaf04", port.Port), wire.SessionStatusCodec, session)
	receipt := f.reached(t, a.ID)
	if took := receipt.Stamps[2].Time.Sub(begin); took > 500*time.Millisecond {
		t.Errorf("the stamp came %s after its evidence", took)
	}
	for i, s := range receipt.Stamps {
		if s.Phase != netmodel.Phases[i] || i > 0 && s.Time.Before(receipt.Stamps[i-1].Time) || i > 0 && len(s.Agents) == 0 {
			t.Errorf("stamp %d: %+v", i, s)
		}
	}
	if receipt.Degraded || len(receipt.Stamps[3].Agents) != 3 { // the spine and both leaves of the other rack
		t.Errorf("receipt %+v", receipt)
	}
}

// TestDegraded: a switch that is not live is not waited for, and named.
func TestDegraded(t *testing.T) {
	f := build(t, start(t, etcdtest.Start(t), time.Second), 1, 1)
	f.network(t, "blue", "10.1.0.0/24")
	f.switches["spine01"].Silence()
	a := f.allocate(t, "blue", "")
	etcdtest.Eventually(t, func() error {
		v, err := f.allocations.Get("default", a.ID)
		if err != nil || len(v.Receipt.Stamps) != 3 || len(v.Receipt.WaitingFor) != 1 || !strings.Contains(v.Receipt.WaitingFor[0], "spine01") {
			return fmt.Errorf("%+v (%w)", v.Receipt, err)
		}
		return nil
	})
	if err := f.switches["spine01"].Die(t.Context()); err != nil {
		t.Fatal(err)
	}
	receipt := f.reached(t, a.ID)
	if !receipt.Degraded || !slices.Equal(receipt.MissingSwitches, []string{"spine01"}) {
		t.Errorf("receipt %+v", receipt)
	}
}

// TestWatchEndsWithItsAllocation: who follows a receipt is told when there is nothing left to follow.
func TestWatchEndsWithItsAllocation(t *testing.T) {
	f := build(t, start(t, etcdtest.Start(t), time.Second), 1, 1)
	f.network(t, "blue", "10.1.0.0/24")
	a := f.allocate(t, "blue", "")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := f.receipts.Watch(ctx, "default", a.ID, true, func(v netmodel.ReceiptView) error {
		if len(v.Stamps) < len(netmodel.Phases) {
			return nil
		}
		_, err := f.allocations.Release(ctx, call, "default", a.ID)
		return err
	})
	refused(t, err, store.NotFound, a.ID)
}

func write[V any](t *testing.T, st *store.Store, key string, codec wire.Codec[V], v V) {
	t.Helper()
	raw, err := codec.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Client().Put(t.Context(), key, string(raw)); err != nil {
		t.Fatal(err)
	}
}

func intentOf(st *store.Store, p netmodel.AllocationPort) (i netmodel.PortIntent) {
	st.Read(func(d *store.Data) { i = d.Intents.Value(store.Port{Switch: p.Switch, Port: p.Port}) })
	return i
}
