package filter_test

import (
	"strings"
	"testing"

	"github.com/pointsman/pointsman/controlplane/internal/filter"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

var machine = &apiv1.Machine{
	Id: "machine01", Rack: "rack 1", State: apiv1.MachineState_MACHINE_STATE_FREE, PortMacs: []string{"02:00:00:00:00:01", "02:00:00:00:00:02"},
	Labels: map[string]string{"owner": "storage"}, Connections: []*apiv1.MachineConnection{{Switch: "leaf01"}, {Switch: "leaf02"}},
	PendingRelease: []*apiv1.PendingRelease{{Generation: 7}},
}

func TestFilters(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                    true,
		"  ":                                  true,
		`id = machine01`:                      true,
		`id=machine02`:                        false,
		`id!=machine02`:                       true,
		`id : MACHINE`:                        true,
		`rack = "rack 1"`:                     true,
		`state = free`:                        true,
		`state = MACHINE_STATE_FREE`:          true,
		`state != allocated AND id:01`:        true,
		`state = free AND id = machine02`:     false,
		`port_macs = 02:00:00:00:00:02`:       true,
		`port_macs != 02:00:00:00:00:02`:      false,
		`port_macs:00:02`:                     true,
		`labels.owner = storage`:              true,
		`labels.owner != storage`:             false,
		`labels.other = storage`:              false,
		`labels.other != storage`:             true,
		`connections.switch = leaf02`:         true,
		`connections.switch = leaf03`:         false,
		`pending_release.generation >= 7`:     true,
		`pending_release.generation<7`:        false,
		`pending_release.generation > 6.5`:    true,
		`description = ""`:                    true,
		`id = "AND" AND description = "x\"y"`: false,
	} {
		f, err := filter.Parse(text, machine.ProtoReflect().Descriptor())
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := f.Match(machine); got != want {
			t.Errorf("%q matches: %v, want %v", text, got, want)
		}
	}
}

func TestRefusedFiltersSayWhy(t *testing.T) {
	for text, says := range map[string]string{
		`colour = red`:              `Machine has no field "colour"; it has allocation, chassis_mac`,
		`state = bored`:             `state is one of unspecified, discovered, free`,
		`state`:                     `FIELD OPERATOR VALUE`,
		`state =`:                   `FIELD OPERATOR VALUE`,
		`id = a OR id = b`:          `joined by AND, not by "OR"`,
		`id = a AND`:                `not whole`,
		`id < a`:                    `< does not go with id: use = or != or :`,
		`labels = a`:                `name a key`,
		`connections = leaf01`:      `name a field of it`,
		`id.x = a`:                  `id is a value`,
		`id ~ a`:                    `no operator`,
		`"id" = a`:                  `quotes`,
		`id = "a`:                   `not closed`,
		`create_time.seconds = now`: `is a number`,
	} {
		_, err := filter.Parse(text, machine.ProtoReflect().Descriptor())
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

// FuzzParse: whatever a caller writes is a filter or an error, and a filter can be applied.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`state = free AND rack:"1"`, `labels.a!=b`, `a"`, `connections.switch:x`, `id = "\u00`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := filter.Parse(text, machine.ProtoReflect().Descriptor())
		if err == nil {
			parsed.Match(machine)
		}
	})
}
