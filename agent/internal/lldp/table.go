package lldp

import (
	"cmp"
	"slices"
	"time"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// maxNeighbours per port. A port full of neighbours takes no more until one goes, so that a flood of invented ones displaces
// nobody and costs no memory.
const maxNeighbours = 4

// table holds the neighbours of one port. Time is passed in.
type table struct {
	entries []entry
}

type entry struct {
	neighbour netmodel.Neighbour
	expires   time.Time
}

// identity is what makes two adverts the same neighbour: the MSAP identifier of IEEE 802.1AB-2016 3.
type identity struct {
	chassis, port               string
	chassisSubtype, portSubtype uint8
}

func identityOf(n netmodel.Neighbour) identity {
	return identity{n.ChassisID, n.PortID, n.ChassisIDSubtype, n.PortIDSubtype}
}

// learn takes an advert in and tells whether the neighbours changed.
func (t *table) learn(now time.Time, a Advert) bool {
	at := slices.IndexFunc(t.entries, func(e entry) bool { return identityOf(e.neighbour) == identityOf(a.Neighbour) })
	switch {
	case a.TTL == 0 && at < 0:
		return false
	case a.TTL == 0:
		t.entries = slices.Delete(t.entries, at, at+1)
		return true
	case at < 0 && len(t.entries) >= maxNeighbours:
		return false
	case at < 0:
		a.Neighbour.FirstSeen = now
		t.entries = append(t.entries, entry{a.Neighbour, now.Add(a.TTL)})
		slices.SortFunc(t.entries, func(x, y entry) int { return compare(x.neighbour, y.neighbour) })
		return true
	}
	known := &t.entries[at]
	a.Neighbour.FirstSeen = known.neighbour.FirstSeen
	changed := known.neighbour != a.Neighbour
	*known = entry{a.Neighbour, now.Add(a.TTL)}
	return changed
}

// expire forgets those whose time is over and tells whether there were any.
func (t *table) expire(now time.Time) bool {
	before := len(t.entries)
	t.entries = slices.DeleteFunc(t.entries, func(e entry) bool { return !e.expires.After(now) })
	return len(t.entries) != before
}

// next is when the next entry expires; zero if there is none.
func (t *table) next() time.Time {
	var first time.Time
	for _, e := range t.entries {
		if first.IsZero() || e.expires.Before(first) {
			first = e.expires
		}
	}
	return first
}

func (t *table) neighbours() []netmodel.Neighbour {
	var out []netmodel.Neighbour
	for _, e := range t.entries {
		out = append(out, e.neighbour)
	}
	return out
}

func compare(x, y netmodel.Neighbour) int {
	return cmp.Or(
		cmp.Compare(x.ChassisID, y.ChassisID), cmp.Compare(x.PortID, y.PortID),
		cmp.Compare(x.ChassisIDSubtype, y.ChassisIDSubtype), cmp.Compare(x.PortIDSubtype, y.PortIDSubtype))
}
