package sonic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// observeSaved reads the file for a state.
func (s *System) observeSaved(state *plan.State) {
	found, _, err := readSaved(s.configFile)
	if err != nil {
		s.log.Warn("a part of the switch's state is unknown", "part", plan.PartSaved, "error", err)
		state.Unknown = append(state.Unknown, plan.PartSaved)
		return
	}
	state.Saved = found
}

// save brings the file to what a kernel says, at once or not at all. Rows of others stay as they are, byte for byte.
func (s *System) save(ctx context.Context, k plan.Kernel) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	found, o, err := readSaved(s.configFile)
	if err != nil {
		return err
	}
	edits := found.edits(k)
	if len(edits) == 0 {
		return nil
	}
	for _, e := range edits {
		if e.delete {
			continue
		}
		if err := validate(e.key, e.row); err != nil {
			return err
		}
	}
	text, err := rewrite(o, edits)
	if err != nil {
		return err
	}
	info, err := os.Stat(s.configFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("save SONiC's configuration: %w", err)
	}
	mode := fs.FileMode(0o644)
	if err == nil {
		mode = info.Mode().Perm()
	}
	if err := renameio.WriteFile(s.configFile, []byte(text), mode); err != nil {
		return fmt.Errorf("save SONiC's configuration: %w", err)
	}
	return nil
}

// rewrite carries out edits on the text.
func rewrite(o object, edits []edit) (string, error) {
	for from := 0; from < len(edits); {
		to := from
		for to < len(edits) && edits[to].key.Table == edits[from].key.Table {
			to++
		}
		if err := rewriteTable(&o, edits[from].key.Table, edits[from:to]); err != nil {
			return "", err
		}
		from = to
	}
	return o.String() + "\n", nil
}

func rewriteTable(o *object, name string, edits []edit) error {
	raw, there := o.get(name)
	if !there {
		raw = "{}"
	}
	t, err := parseObject([]byte(raw))
	if err != nil {
		return fmt.Errorf("table %s: %w", name, err)
	}
	for _, e := range edits {
		row := strings.TrimPrefix(e.key.String(), name+"|")
		if e.delete {
			t.remove(row)
			continue
		}
		text, err := rewriteRow(t, row, e)
		if err != nil {
			return fmt.Errorf("%s: %w", e.key, err)
		}
		t.set(row, text, "\n"+step+step)
	}
	if len(t.members) == 0 {
		o.remove(name)
		return nil
	}
	o.set(name, t.String(), "\n"+step)
	return nil
}

// rewriteRow is a row's text with the fields of an edit.
func rewriteRow(t object, name string, e edit) (string, error) {
	raw, there := t.get(name)
	if !there || e.whole {
		raw = "{}"
	}
	row, err := parseObject([]byte(raw))
	if err != nil {
		return "", err
	}
	for _, f := range slices.Sorted(maps.Keys(e.row)) {
		value, err := json.Marshal(e.row[f])
		if err != nil {
			return "", err
		}
		row.set(f, string(value), "\n"+step+step+step)
	}
	return row.String(), nil
}
