package system

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/frr"
)

// refusing carries out everything but steps whose text contains a word.
type refusing struct {
	word string
	done []string
}

var errRefused = errors.New("no room")

func (r *refusing) Do(op plan.Op) error {
	if strings.Contains(op.String(), r.word) {
		return errRefused
	}
	r.done = append(r.done, op.String())
	return nil
}

func (r *refusing) Configure(changes []frr.Change) []error {
	errs := make([]error, len(changes))
	for i, c := range changes {
		errs[i] = r.Do(plan.ApplyFRR{Changes: []frr.Change{c}})
	}
	return errs
}

// A failure takes along what relies on it, and nothing else.
func TestRunSkipsWhatReliesOnAFailure(t *testing.T) {
	swp1, swp2 := plan.For{"swp1"}, plan.For{"swp2"}
	ops := []plan.Op{
		plan.AddVRF{Name: "VrfA", Table: 1001, For: swp1},
		plan.AddUnreachable{VRF: "VrfA", Route: plan.DefaultRoute{Table: 1001, Family: plan.IPv4}, For: swp1},
		plan.AddSVI{VLAN: 1000, SVI: plan.SVI{VRF: "VrfA"}, For: swp1},
		plan.ApplyFRR{Changes: []frr.Change{
			{Line: "no neighbor swp1", Port: "swp1", VRF: "VrfOld", Stage: frr.StageNeighbourRemoval},
		}},
		plan.ApplyFRR{Changes: []frr.Change{
			{Line: "vni 1", VRF: "VrfA", Stage: frr.StageAddition},
			{Line: "neighbor swp1", Port: "swp1", VRF: "VrfA", Stage: frr.StageAddition},
			{Line: "neighbor swp2", Port: "swp2", VRF: "VrfB", Stage: frr.StageAddition},
		}},
		plan.SetUp{Device: "swp1", Up: false, For: swp1},
		plan.SetMaster{Device: "swp1", From: "VrfOld", To: "VrfA", For: swp1},
		plan.SetMTU{Device: "swp1", MTU: 9216, For: swp1},
		plan.SetUp{Device: "swp1", Up: true, For: swp1},
		plan.SetUp{Device: "swp2", Up: true, For: swp2},
		plan.ApplyFRR{Changes: []frr.Change{{Line: "no router bgp 1 vrf VrfOld", VRF: "VrfOld", Stage: frr.StageInstanceRemoval}}},
		plan.DeleteVRF{Name: "VrfOld"},
		plan.ApplyFRR{Changes: []frr.Change{{Line: "no vrf VrfOld", VRF: "VrfOld", Stage: frr.StageVRFRemoval}}},
	}
	for word, want := range map[string][]string{ // steps that fail or are skipped
		"nothing":                 nil,
		"add vrf VrfA":            {"add vrf", "add unreachable", "add svi", "vni 1", "neighbor swp1", "set swp1 down", "move swp1", "set swp1 up", "no router bgp", "delete vrf", "no vrf"},
		"add unreachable":         {"add unreachable", "add svi", "vni 1", "neighbor swp1", "set swp1 down", "move swp1", "set swp1 up", "no router bgp", "delete vrf", "no vrf"},
		"no neighbor swp1":        {"no neighbor swp1", "neighbor swp1", "set swp1 down", "move swp1", "set swp1 up", "no router bgp", "delete vrf", "no vrf"},
		"frr neighbor swp1":       {"neighbor swp1", "set swp1 down", "move swp1", "set swp1 up", "no router bgp", "delete vrf", "no vrf"},
		"move swp1":               {"move swp1", "set swp1 up", "no router bgp", "delete vrf", "no vrf"},
		"set swp1 mtu":            {"set swp1 mtu"},
		"no router bgp":           {"no router bgp", "delete vrf", "no vrf"},
		"delete vrf VrfOld":       {"delete vrf", "no vrf"},
		"neighbor swp2":           {"neighbor swp2", "set swp2 up"},
		"add svi Vlan1000 in Vrf": {"add svi"},
	} {
		var failed []string
		ports := map[string]bool{}
		for _, r := range Run(ops, &refusing{word: word}) {
			if r.Err == nil {
				continue
			}
			failed = append(failed, r.Op.String())
			if !errors.Is(r.Err, errRefused) {
				t.Errorf("%q fails: the result of %q does not say why: %v", word, r.Op, r.Err)
			}
			for _, p := range r.Op.Ports() {
				ports[p] = true
			}
		}
		matches := len(failed) >= len(want)
		for _, w := range want {
			matches = matches && slices.ContainsFunc(failed, func(s string) bool { return strings.Contains(s, w) })
		}
		for _, f := range failed {
			matches = matches && slices.ContainsFunc(want, func(w string) bool { return strings.Contains(f, w) })
		}
		if !matches {
			t.Errorf("%q fails: these failed or were skipped:\n  %s\nwant\n  %s", word, strings.Join(failed, "\n  "), strings.Join(want, "\n  "))
		}
		if wantSwp2 := word == "neighbor swp2"; ports["swp2"] != wantSwp2 {
			t.Errorf("%q fails: swp2 counts as failed: %v", word, ports["swp2"])
		}
	}
}

// What was carried out before counts for what comes after, as if both were one list.
func TestUnblocked(t *testing.T) {
	swp1 := plan.For{"swp1"}
	serving := []plan.Op{
		plan.SetMaster{Device: "swp1", From: "VrfOld", To: "VrfA", For: swp1},
		plan.ApplyFRR{Changes: []frr.Change{{Line: "neighbor swp2", Port: "swp2", VRF: "VrfA", Stage: frr.StageAddition}}},
	}
	tidying := []plan.Op{
		plan.ApplyFRR{Changes: []frr.Change{
			{Line: "no router bgp 1 vrf VrfOld", VRF: "VrfOld", Stage: frr.StageInstanceRemoval},
			{Line: "no router bgp 1 vrf VrfGone", VRF: "VrfGone", Stage: frr.StageInstanceRemoval},
		}},
		plan.DeleteVRF{Name: "VrfOld"}, plan.DeleteVRF{Name: "VrfGone"},
	}
	for word, want := range map[string]string{
		"nothing":   "no router bgp VrfOld, no router bgp VrfGone, delete vrf VrfOld, delete vrf VrfGone",
		"move swp1": "no router bgp VrfGone, delete vrf VrfGone",
		"swp2":      "no router bgp VrfOld, no router bgp VrfGone, delete vrf VrfOld, delete vrf VrfGone",
	} {
		free, skipped := Unblocked(Run(serving, &refusing{word: word}), tidying)
		var got []string
		for _, op := range free {
			for line := range strings.Lines(op.String()) {
				line = strings.TrimPrefix(strings.TrimSpace(line), "frr ")
				got = append(got, strings.Replace(line, "router bgp 1 vrf", "router bgp", 1))
			}
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("%q fails: free are %s, want %s", word, text, want)
		}
		for _, r := range skipped {
			if !errors.Is(r.Err, plan.ErrSkipped) || !errors.Is(r.Err, errRefused) {
				t.Errorf("%q fails: %q is skipped for %v", word, r.Op, r.Err)
			}
		}
	}
}
