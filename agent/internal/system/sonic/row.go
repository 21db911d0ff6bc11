package sonic

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Row is one row of a table: its fields. An empty one is stored as NULL=NULL, since Redis keeps no empty hash; in memory it is empty.
type Row map[string]string

// null is the field and the value that stand for "no fields".
const null = "NULL"

// parseRow takes what Redis holds for what it means.
func parseRow(fields map[string]string) Row {
	r := Row{}
	for f, v := range fields {
		if f != null || v != null {
			r[f] = v
		}
	}
	return r
}

// stored is the row as Redis holds it.
func (r Row) stored() map[string]string {
	if len(r) == 0 {
		return map[string]string{null: null}
	}
	return r
}

// number is a field as a number; 0 if it is none.
func (r Row) number(field string) uint64 {
	n, err := strconv.ParseUint(r[field], 10, 32)
	if err != nil {
		return 0
	}
	return n
}

// has reports whether the row says all that another says.
func (r Row) has(want Row) bool {
	for f, v := range want {
		if r[f] != v {
			return false
		}
	}
	return true
}

// String is the row on one line, for errors and logs.
func (r Row) String() string {
	var fields []string
	for _, f := range slices.Sorted(maps.Keys(r)) {
		fields = append(fields, fmt.Sprintf("%s=%s", f, r[f]))
	}
	return "{" + strings.Join(fields, " ") + "}"
}

// Key is where a row is in CONFIG_DB: its table and the rest, each part by itself. IPv6 addresses contain colons, so parts are
// joined only where a database wants them joined.
type Key struct {
	Table string
	Name  string // Ethernet0, Vlan1000, Vrf104001, ...
	Sub   string // a port, an address or a tunnel's map; "" if there is none
}

// String is the key as CONFIG_DB has it by default; Redis itself is always asked with the separator of database_config.json.
func (k Key) String() string { return k.join("|") }

func (k Key) join(separator string) string {
	if k.Sub == "" {
		return k.Table + separator + k.Name
	}
	return k.Table + separator + k.Name + separator + k.Sub
}

// parseKey reads a key of CONFIG_DB. Only the first two separators divide.
func parseKey(text, separator string) (Key, bool) {
	parts := strings.SplitN(text, separator, 3)
	if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return Key{}, false
	}
	k := Key{Table: parts[0], Name: parts[1]}
	if len(parts) == 3 {
		k.Sub = parts[2]
	}
	return k, true
}

func compareKeys(a, b Key) int {
	if c := strings.Compare(a.Table, b.Table); c != 0 {
		return c
	}
	if c := natural(a.Name, b.Name); c != 0 {
		return c
	}
	return natural(a.Sub, b.Sub)
}

// natural orders Ethernet8 before Ethernet16, as SONiC's own tools do.
func natural(a, b string) int {
	headA, numberA := cutNumber(a)
	headB, numberB := cutNumber(b)
	if headA != headB || numberA == numberB {
		return strings.Compare(a, b)
	}
	if numberA < numberB {
		return -1
	}
	return 1
}

// cutNumber divides a name from the number at its end; -1 is none.
func cutNumber(name string) (head string, number int64) {
	head = strings.TrimRight(name, "0123456789")
	n, err := strconv.ParseInt(name[len(head):], 10, 64)
	if err != nil {
		return head, -1
	}
	return head, n
}
