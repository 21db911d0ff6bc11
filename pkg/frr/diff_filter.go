package frr

import (
	"maps"
	"slices"
)

// ofFilter is for whom a filter is, by its name.
func (d *differ) ofFilter(name string) scope {
	port := portOfName(name)
	return scope{port: port, vrf: d.vrfOf[port]}
}

// lists changes lists that stay or come. An entry whose text changes is taken away first, and all such before any is added: FRR
// silently ignores an entry that equals one of another number. What a list no longer permits must go before a neighbour
// comes, so that a port never keeps the grants of its last tenant; hence removals of entries are not left to the end.
func (d *differ) lists() {
	for _, key := range sortedLists(d.want.lists) {
		have, want := entryTexts(d.have.lists[key]), entryTexts(d.want.lists[key])
		for _, line := range missing(have, want) {
			d.emit(StageAddition, d.ofFilter(key.name), "no "+line)
		}
		for _, line := range missing(want, have) {
			d.emit(StageAddition, d.ofFilter(key.name), line)
		}
	}
}

// routeMaps changes route-maps that stay or come.
func (d *differ) routeMaps() {
	for _, name := range sorted(d.want.maps) {
		of := func(string) scope { return d.ofFilter(name) }
		for _, gone := range d.have.maps[name] {
			if _, wanted := clauseOf(d.want.maps[name], gone.header); !wanted {
				d.emit(StageAddition, of(""), "no "+gone.header)
			}
		}
		for _, clause := range d.want.maps[name] {
			was, known := clauseOf(d.have.maps[name], clause.header)
			if !known && len(clause.lines) == 0 {
				d.emit(StageAddition, of(""), clause.header)
			}
			d.replace(of, was.lines, clause.lines, clause.header)
		}
	}
}

// filtersAway deletes the filters that nothing refers to any more: route-maps, then the lists that they matched, then BFD
// profiles.
func (d *differ) filtersAway() {
	for _, name := range slices.Backward(sorted(d.have.maps)) {
		if _, wanted := d.want.maps[name]; wanted {
			continue
		}
		for _, clause := range slices.Backward(d.have.maps[name]) {
			d.emit(StageFilterRemoval, d.ofFilter(name), "no "+clause.header)
		}
	}
	for _, key := range slices.Backward(sortedLists(d.have.lists)) {
		if _, wanted := d.want.lists[key]; wanted {
			continue
		}
		for _, e := range slices.Backward(d.have.lists[key]) {
			d.emit(StageFilterRemoval, d.ofFilter(key.name), "no "+e.text)
		}
	}
	for _, name := range slices.Backward(sorted(d.have.profiles)) {
		if _, wanted := d.want.profiles[name]; !wanted {
			d.emit(StageFilterRemoval, scope{}, "no "+name, "bfd")
		}
	}
}

func clauseOf(clauses []mapClause, header string) (mapClause, bool) {
	for _, c := range clauses {
		if c.header == header {
			return c, true
		}
	}
	return mapClause{}, false
}

func entryTexts(entries []entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.text)
	}
	return out
}

func sortedLists(m map[list][]entry) []list {
	return slices.SortedFunc(maps.Keys(m), func(a, b list) int { return compareText(a.kind+" "+a.name, b.kind+" "+b.name) })
}
