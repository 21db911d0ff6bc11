package inventory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/pointsman/pointsman/controlplane/internal/discover"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Adoption takes a machine into the inventory by any of its identities. An empty ID is made of what the machine is called, else
// generated.
type Adoption struct {
	ID          string
	SystemUUID  string
	ChassisMAC  string
	PortMACs    []string
	Description string
	Labels      map[string]string
}

// AdoptMachine registers a machine that is discovered, or still to come. What is known of it by discovery is added to what is
// given.
func (s *Service) AdoptMachine(ctx context.Context, call store.Call, a Adoption) (netmodel.MachineView, error) {
	a.SystemUUID, a.ChassisMAC, a.PortMACs = strings.ToLower(a.SystemUUID), strings.ToLower(a.ChassisMAC), lower(a.PortMACs)
	if a.SystemUUID == "" && a.ChassisMAC == "" && len(a.PortMACs) == 0 {
		return netmodel.MachineView{}, store.Refuse(store.Invalid, "a machine needs an identity: give its system UUID, chassis MAC or port MACs")
	}
	generated := generatedID()
	return s.changeMachine(ctx, call, func(d *store.Data, t *store.Txn) (netmodel.Machine, error) {
		m, err := adopted(d, a, generated)
		if err != nil {
			return m, err
		}
		m.CreateTime = s.store.Now()
		key := keys.Machine(m.ID)
		t.Absent(key)
		store.Put(t, key, wire.MachineCodec, m)
		return m, nil
	})
}

func adopted(d *store.Data, a Adoption, generated string) (netmodel.Machine, error) {
	m := netmodel.Machine{ID: a.ID, SystemUUID: a.SystemUUID, ChassisMAC: a.ChassisMAC, PortMACs: a.PortMACs, Description: a.Description, Labels: a.Labels}
	for _, seen := range d.Index.Discovered() {
		if !same(m, seen.Machine) {
			continue
		}
		m.SystemUUID, m.ChassisMAC = cmp.Or(m.SystemUUID, seen.SystemUUID), cmp.Or(m.ChassisMAC, seen.ChassisMAC)
		m.PortMACs = lower(slices.Concat(m.PortMACs, seen.PortMACs))
		m.ID = cmp.Or(m.ID, free(d, discover.SuggestID(seen)))
		break
	}
	m.ID = cmp.Or(m.ID, generated)
	if _, ok := d.Machines[m.ID]; ok {
		return m, store.Refuse(store.Exists, "machine %q exists already; choose another id", m.ID)
	}
	if others := d.Index.Named(m); len(others) > 0 {
		return m, store.Refuse(store.Exists, "machine %q has one of these identities already", others[0])
	}
	return m, nil
}

// free is id, or nothing if a machine has it.
func free(d *store.Data, id string) string {
	if _, ok := d.Machines[id]; ok {
		return ""
	}
	return id
}

// same says whether two machines share an identity.
func same(a, b netmodel.Machine) bool {
	return a.SystemUUID != "" && strings.EqualFold(a.SystemUUID, b.SystemUUID) ||
		a.ChassisMAC != "" && strings.EqualFold(a.ChassisMAC, b.ChassisMAC) ||
		slices.ContainsFunc(a.PortMACs, func(mac string) bool {
			return slices.ContainsFunc(b.PortMACs, func(other string) bool { return strings.EqualFold(mac, other) })
		})
}

// settle is how long Run lets events gather: the two leaves of a machine hear it at about the same time.
const settle = 50 * time.Millisecond

// retry is how long Run waits after a failure that no event ends.
const retry = 5 * time.Second

// Run adopts discovered machines until ctx ends, if Options.AutoAdopt says so. Every replica runs it: what each finds follows
// from the store alone, and the transaction lets one of them win.
func (s *Service) Run(ctx context.Context) error {
	if !s.o.AutoAdopt {
		<-ctx.Done()
		return nil
	}
	for ctx.Err() == nil {
		again := s.adoptAll(ctx)
		var later <-chan time.Time
		if again {
			later = time.After(retry)
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
			select {
			case <-ctx.Done():
			case <-time.After(settle):
			}
		case <-later:
		}
	}
	return nil
}

// adoptAll adopts all machines that are discovered without a fault of cabling, and says whether one failed.
func (s *Service) adoptAll(ctx context.Context) (failed bool) {
	for _, m := range s.ListMachines(netmodel.MachineDiscovered, "") {
		if len(m.Faults) > 0 {
			continue
		}
		_, err := s.AdoptMachine(ctx, store.Call{Caller: "auto-adopt", Method: "AdoptMachine"}, Adoption{
			SystemUUID: m.SystemUUID, ChassisMAC: m.ChassisMAC, PortMACs: m.PortMACs,
		})
		var refusal *store.Refusal
		switch {
		case err == nil:
			s.o.Log.Info("adopted a discovered machine", "system_name", m.SystemName, "system_uuid", m.SystemUUID, "chassis_mac", m.ChassisMAC)
		case errors.As(err, &refusal) && refusal.Kind == store.Exists, ctx.Err() != nil:
			// Another replica was faster.
		default:
			failed = true
			s.o.Log.Warn("adopt discovered machine", "system_name", m.SystemName, "error", err)
		}
	}
	return failed
}
