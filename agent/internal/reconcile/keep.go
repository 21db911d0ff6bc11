package reconcile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"

	"github.com/google/renameio/v2"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

const keptVersion = 1

// kept is what the loop keeps over restarts: the numbers of VRFs and VNIs, so that they come back the same after a reboot, and
// the changes that were reverted, so that a restart does not try them again, and the boot that it has seen through.
type kept struct {
	Version  int                      `json:"version"`
	Assigned plan.Assignments         `json:"assigned"`
	Reverted map[string]keptReversion `json:"reverted,omitempty"`
	Boot     string                   `json:"boot,omitempty"` // the last in which the fabric was there

	path string
}

type keptReversion struct {
	Generation uint64              `json:"generation"`
	Before     netmodel.PortIntent `json:"before"`
	Why        string              `json:"why"`
}

func readKept(stateDir string) (kept, error) {
	k := kept{Version: keptVersion, path: filepath.Join(stateDir, "loop.json")}
	raw, err := os.ReadFile(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return k, fmt.Errorf("read what the loop kept: %w", err)
	}
	stored := kept{path: k.path}
	if err := json.Unmarshal(raw, &stored); err != nil {
		return k, fmt.Errorf("read what the loop kept from %s: %w", k.path, err)
	}
	if stored.Version != keptVersion {
		return k, fmt.Errorf("read what the loop kept from %s: version %d, this agent reads %d", k.path, stored.Version, keptVersion)
	}
	return stored, nil
}

func (k kept) save() error {
	raw, err := json.MarshalIndent(k, "", " ")
	if err != nil {
		return fmt.Errorf("keep the loop's state: %w", err)
	}
	if err := renameio.WriteFile(k.path, raw, 0o600); err != nil {
		return fmt.Errorf("keep the loop's state: %w", err)
	}
	return nil
}

func (k kept) reversions() reversions {
	out := reversions{}
	for port, r := range k.Reverted {
		out[port] = reversion{generation: r.Generation, before: r.Before, why: r.Why}
	}
	return out
}

// keep stores the numbers after they are in the world, from where a restart reads them first anyhow: the first step of a
// change need not wait for a disk.
func (l *Loop) keep(assigned plan.Assignments) {
	l.mu.Lock()
	reverted := map[string]keptReversion{}
	for port, r := range l.reverted {
		reverted[port] = keptReversion{r.generation, r.before, r.why}
	}
	l.mu.Unlock()
	if sameNumbers(l.kept.Assigned, assigned) && reflect.DeepEqual(reverted, orEmpty(l.kept.Reverted)) {
		return
	}
	l.kept.Assigned, l.kept.Reverted = assigned, reverted
	l.store()
}

// keepBoot notes that from now on an agent that starts in this boot is a restart.
func (l *Loop) keepBoot() {
	if l.kept.Boot != l.cfg.Boot {
		l.kept.Boot = l.cfg.Boot
		l.store()
	}
}

func (l *Loop) store() {
	if err := l.kept.save(); err != nil {
		l.cfg.Log.Error("what the loop keeps is not on disk", "err", err)
	}
}

func orEmpty(m map[string]keptReversion) map[string]keptReversion {
	if m == nil {
		return map[string]keptReversion{}
	}
	return m
}

func sameNumbers(a, b plan.Assignments) bool {
	return maps.Equal(a.Tables, b.Tables) && maps.Equal(a.VLANs, b.VLANs)
}
