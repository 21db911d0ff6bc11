package system

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/frr"
)

// slow takes a second for each step, and refuses those that contain a word.
type slow struct {
	refuse string
	mu     sync.Mutex
	done   []string
}

func (s *slow) Do(op plan.Op) error {
	time.Sleep(time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != "" && strings.Contains(op.String(), s.refuse) {
		return errRefused
	}
	s.done = append(s.done, op.String())
	return nil
}

func (s *slow) Configure(changes []frr.Change) []error { return make([]error, len(changes)) }

func byPort(op plan.Op) string {
	if len(op.Ports()) != 1 {
		return ""
	}
	return op.Ports()[0]
}

// Ports move at once, each in its own order; what is for all waits for all.
func TestLanes(t *testing.T) {
	var ops []plan.Op
	ops = append(ops, plan.AddVRF{Name: "VrfA", Table: 1001})
	for _, p := range []string{"swp1", "swp2", "swp3"} {
		of := plan.For{p}
		ops = append(ops, plan.SetUp{Device: p, Before: "VrfA", For: of}, plan.SetMaster{Device: p, From: "VrfOld", To: "VrfA", For: of}, plan.SetUp{Device: p, Up: true, For: of})
	}
	ops = append(ops, plan.DeleteVRF{Name: "VrfOld"})
	for name, c := range map[string]struct {
		refuse string
		took   time.Duration
		failed []string
	}{
		"all goes well":    {"", 5 * time.Second, nil},
		"one port fails":   {"move swp2", 4 * time.Second, []string{"move swp2 from VrfOld to VrfA", "set swp2 up", "delete vrf VrfOld"}},
		"their VRF is not": {"add vrf VrfA", time.Second, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				do := &slow{refuse: c.refuse}
				results := RunInLanes(ops, do, byPort)
				if took := time.Since(began); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
				var failed []string
				for i, r := range results {
					if r.Op.String() != ops[i].String() {
						t.Errorf("result %d is of %q, not of %q", i, r.Op, ops[i])
					}
					if r.Err != nil {
						failed = append(failed, r.Op.String())
					}
					if r.Err != nil && !errors.Is(r.Err, errRefused) {
						t.Errorf("%q does not say why it failed: %v", r.Op, r.Err)
					}
				}
				if c.refuse == "add vrf VrfA" {
					if len(failed) != len(ops) {
						t.Errorf("without the VRF, these failed: %q", failed)
					}
				} else if !slices.Equal(failed, c.failed) {
					t.Errorf("these failed: %q, want %q", failed, c.failed)
				}
			})
		})
	}
}
