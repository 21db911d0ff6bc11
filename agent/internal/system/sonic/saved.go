package sonic

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

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
