package guest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/pointsman/pointsman/test/lab/swstate/hazard"
	"github.com/pointsman/pointsman/test/sonicguest"
)

// writer writes CONFIG_DB's rows for moves, with the gates that keep a switch alive, or without.
type writer struct {
	*testing.T
	s     *sonicguest.Switch
	gates bool
}

const provisioning = "Vlan100"

func newWriter(t *testing.T, s *sonicguest.Switch, gates bool) (writer, []string) {
	t.Helper()
	set(t, s, "VXLAN_TUNNEL|vtep", "src_ip", "10.255.1.1")
	set(t, s, "VXLAN_EVPN_NVO|nvo", "source_vtep", "vtep")
	set(t, s, "VLAN|"+provisioning, "vlanid", "100")
	places := []string{sonicguest.Bridge}
	for i := 1001; i <= 1004; i++ {
		vrf, vlan := fmt.Sprintf("Vrf%d", i), fmt.Sprintf("Vlan%d", 2000+i)
		set(t, s, "VRF|"+vrf, "vni", fmt.Sprint(i))
		set(t, s, "VLAN|"+vlan, "vlanid", fmt.Sprint(2000+i))
		set(t, s, "VLAN_INTERFACE|"+vlan, "vrf_name", vrf)
		places = append(places, vrf)
	}
	for i, vrf := range places[1:] {
		s.Await(t, "the object of "+vrf, func() bool { return s.Has("STATE_DB", "VRF_OBJECT_TABLE|"+vrf) })
		s.Await(t, "the SVI of "+vrf, func() bool {
			return s.Row(t, "STATE_DB", fmt.Sprintf("INTERFACE_TABLE|Vlan%d", 3001+i))["vrf"] == vrf
		})
	}
	return writer{t, s, gates}, places
}

// move is a hazard.Mover.
func (w writer) move(ctx context.Context, port, from, to string) error {
	db := w.s.DB("CONFIG_DB")
	var key, kind string
	switch from {
	case "":
	case sonicguest.Bridge:
		key, kind = "VLAN_MEMBER|"+provisioning+"|"+port, "BRIDGE_PORT"
	default:
		key, kind = "INTERFACE|"+port, "ROUTER_INTERFACE"
	}
	if key != "" {
		if err := db.Del(ctx, key).Err(); err != nil {
			return err
		}
		if w.gates {
			if err := w.until(ctx, func() bool { return !asicHas(w.T, w.s, kind, port) }); err != nil {
				return fmt.Errorf("leave %s: %w", from, err)
			}
		}
	}
	enter, fields := "INTERFACE|"+port, []any{"vrf_name", to}
	if to == sonicguest.Bridge {
		enter, fields = "VLAN_MEMBER|"+provisioning+"|"+port, []any{"tagging_mode", "untagged"}
	}
	if err := db.HSet(ctx, enter, fields...).Err(); err != nil {
		return err
	}
	return w.until(ctx, func() bool { return w.there(port, to) })
}

// there asks the ASIC and the kernel, or STATE_DB alone, as one does who knows no gates.
func (w writer) there(port, place string) bool {
	switch {
	case w.gates:
		return w.s.Place(w.T, port) == sonicguest.Place{Kernel: place, ASIC: place}
	case place == sonicguest.Bridge:
		return w.s.Has("STATE_DB", "VLAN_MEMBER_TABLE|"+provisioning+"|"+port)
	default:
		return w.s.Row(w.T, "STATE_DB", "INTERFACE_TABLE|"+port)["vrf"] == place
	}
}

func (w writer) until(ctx context.Context, holds func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if holds() {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return ctx.Err()
}

func start(t *testing.T, seed uint64) *sonicguest.Switch {
	t.Helper()
	return sonicguest.Start(t, sonicguest.Options{Ports: 32, MaxDelay: 2 * time.Second, Seed: seed})
}

// Rows written with a gate between what leaves and what enters survive delays of seconds, 16 moves at once.
func TestHazard(t *testing.T) {
	seed := hazard.Seed(t)
	s := start(t, seed)
	w, places := newWriter(t, s, true)
	out := hazard.Moves{Switch: s, Ports: 32, Places: places, Moves: hazard.Count(t), InFlight: 16, Seed: seed}.Run(t, w.move)
	if !out.Clean() {
		t.Error(out)
	}
}

// The same rows without gates end the switch, or leave ports behind.
func TestHazardWithoutGates(t *testing.T) {
	seed := hazard.Seed(t)
	s := start(t, seed)
	w, places := newWriter(t, s, false)
	out := hazard.Moves{Switch: s, Ports: 32, Places: places, Moves: 100, InFlight: 16, Seed: seed}.Run(t, w.move)
	t.Log(out)
	if out.Clean() {
		t.Error("nothing happened: the hazards do not bite")
	}
}
