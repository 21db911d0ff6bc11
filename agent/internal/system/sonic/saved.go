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

// saved is config_db.json, from which a reboot and `config reload` fill CONFIG_DB. It implements plan.Saved.
type saved struct{ rows rows }

// readSaved reads the file. One that is not there cannot be ours to make: a switch without ports would boot from it.
func readSaved(file string) (saved, object, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return saved{}, object{}, fmt.Errorf("read SONiC's saved configuration: %w", err)
	}
	r, o, err := parseSaved(text)
	if err != nil {
		return saved{}, object{}, fmt.Errorf("read SONiC's saved configuration: %s: %w", file, err)
	}
	return saved{r}, o, nil
}

// parseSaved reads the tables that matter to us. Others may be anything.
func parseSaved(text []byte) (rows, object, error) {
	o, err := parseObject(text)
	if err != nil {
		return nil, object{}, err
	}
	out := rows{}
	for _, m := range o.members {
		if !readTables[m.name] {
			continue
		}
		var named map[string]map[string]any
		if err := json.Unmarshal([]byte(m.raw), &named); err != nil {
			return nil, object{}, fmt.Errorf("table %s: %w", m.name, err)
		}
		for name, fields := range named {
			if k, ok := parseKey(m.name+"|"+name, "|"); ok {
				out[k] = savedRow(fields)
			}
		}
	}
	return out, o, nil
}

// savedRow is a row as Redis would have it: lists are joined under their name and an @.
func savedRow(fields map[string]any) Row {
	row := Row{}
	for name, value := range fields {
		switch v := value.(type) {
		case []any:
			var items []string
			for _, item := range v {
				items = append(items, fmt.Sprint(item))
			}
			row[name+"@"] = strings.Join(items, ",")
		default:
			row[name] = fmt.Sprint(v)
		}
	}
	return parseRow(row)
}

// Lacks implements plan.Saved.
func (s saved) Lacks(k plan.Kernel) []string {
	var out []string
	for _, e := range s.edits(k) {
		out = append(out, e.key.String())
	}
	return out
}

// edit is what is to be done to one row of the file.
type edit struct {
	key    Key
	row    Row  // what it must say
	whole  bool // and nothing else
	delete bool
}

// edits lead from the file to what a kernel says. Rows that are not ours are not among them, nor are those that say so already.
func (s saved) edits(k plan.Kernel) []edit {
	want := render(k, s.first(tableTunnel), s.first(tableNVO))
	var out []edit
	for key, row := range want {
		have, there := s.rows[key]
		whole := key.Table != tablePort && key.Table != tableVLAN
		switch {
		case key.Table == tablePort && !there: // a port's lanes are not ours to invent
		case !there, !have.has(row), whole && !maps.Equal(have, row) && key.Table != tableInterface:
			out = append(out, edit{key: key, row: row, whole: whole})
		case key.Table == tableInterface && have["vrf_name"] != row["vrf_name"]:
			out = append(out, edit{key: key, row: row, whole: true})
		}
	}
	for key := range s.rows {
		if _, wanted := want[key]; !wanted && s.ours(key, k, want) {
			out = append(out, edit{key: key, delete: true})
		}
	}
	slices.SortFunc(out, func(a, b edit) int { return compareKeys(a.key, b.key) })
	return out
}

func (s saved) first(table string) string {
	if keys := s.rows.of(table); len(keys) > 0 {
		return keys[0].Name
	}
	return ""
}

// ours reports whether a row that nobody wants is ours to delete. Addresses that an operator gave to a port in the default VRF stay.
func (s saved) ours(key Key, k plan.Kernel, want rows) bool {
	switch key.Table {
	case tableInterface:
		_, port := k.Ports[key.Name]
		routed, wanted := want[Key{Table: tableInterface, Name: key.Name}]
		return port && (key.Sub == "" || !wanted || routed["vrf_name"] != "")
	case tableMember:
		_, port := k.Ports[key.Sub]
		return port || s.rows.ownsVLAN(key.Name)
	case tableVLAN, tableVLANInterface:
		return s.rows.ownsVLAN(key.Name)
	case tableVRF:
		return s.rows.ownsVRF(key.Name)
	case tableTunnelMap:
		return s.rows.ownsVLAN(s.rows[key]["vlan"])
	}
	return false
}

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
