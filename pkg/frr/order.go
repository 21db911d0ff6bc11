package frr

import (
	"cmp"
	"slices"
	"strings"
)

// ranks order lines so that what is referred to comes first and FRR accepts each line where it stands. The first prefix that
// fits counts.
var ranks = []struct {
	prefix string
	rank   int
}{
	{"frr version", 0}, {"frr defaults", 1}, {"hostname", 2},
	{"vrf ", 10}, {"interface ", 11},
	{"router ", 30}, {"ip prefix-list ", 40}, {"ipv6 prefix-list ", 41},
	{"bgp as-path ", 42}, {"bgp community-list ", 43}, {"bgp extcommunity-list ", 44}, {"bgp large-community-list ", 45},
	{"route-map ", 46}, {"bfd", 47},
	{"address-family ", 60}, {"line vty", 70},
	// Inside an interface: FRR refuses a lifetime of 0 before the interval.
	{"ipv6 nd ra-interval", 20}, {"ipv6 nd ra-lifetime", 21}, {"ipv6 nd suppress-ra", 22},
	{"neighbor ", 25},
}

func rank(text string) int {
	text = strings.TrimPrefix(text, "no ")
	for _, r := range ranks {
		if strings.HasPrefix(text, r.prefix) {
			return r.rank
		}
	}
	return 5
}

// sortLines puts the lines of one context in canonical order: peer-groups before neighbours, and of each the line that makes
// it before the others.
func sortLines(lines []Line) {
	groups := map[string]bool{}
	for _, l := range lines {
		if name, setting, ok := neighbourLine(l.Text); ok && setting == "peer-group" {
			groups[name] = true
		}
	}
	slices.SortFunc(lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(rank(a.Text), rank(b.Text)), compareNeighbourLines(a.Text, b.Text, groups), compareText(sortKey(a.Text), sortKey(b.Text)))
	})
}

// sortKey makes the entries of a route-map sort by their number, whether they permit or deny.
func sortKey(text string) string {
	if !strings.HasPrefix(text, "route-map ") {
		return text
	}
	if words := strings.Fields(text); len(words) == 4 {
		return words[0] + " " + words[1] + " " + words[3] + " " + words[2]
	}
	return text
}

func compareNeighbourLines(a, b string, groups map[string]bool) int {
	nameA, settingA, okA := neighbourLine(a)
	nameB, settingB, okB := neighbourLine(b)
	switch {
	case !okA || !okB:
		return 0
	case groups[nameA] != groups[nameB]:
		if groups[nameA] {
			return -1
		}
		return 1
	}
	return cmp.Or(compareText(nameA, nameB), cmp.Compare(settingRank(settingA), settingRank(settingB)))
}

func settingRank(setting string) int {
	for i, first := range []string{"peer-group", "interface", "remote-as", "activate", "bfd"} {
		if setting == first || strings.HasPrefix(setting, first+" ") {
			return i
		}
	}
	return 9
}

// neighbourLine splits "neighbor swp3 remote-as 65000" into the neighbour and the rest.
func neighbourLine(text string) (name, rest string, ok bool) {
	text = strings.TrimPrefix(text, "no ")
	text, ok = strings.CutPrefix(text, "neighbor ")
	if !ok {
		return "", "", false
	}
	name, rest, _ = strings.Cut(text, " ")
	return name, rest, true
}

// compareText compares with numbers as numbers: swp2 before swp10.
func compareText(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		numberX, restX := digits(x)
		numberY, restY := digits(y)
		if numberX != "" && numberY != "" {
			significantX, significantY := strings.TrimLeft(numberX, "0"), strings.TrimLeft(numberY, "0")
			if c := cmp.Or(cmp.Compare(len(significantX), len(significantY)), cmp.Compare(significantX, significantY)); c != 0 {
				return c
			}
			x, y = restX, restY
			continue
		}
		if x[0] != y[0] {
			return cmp.Compare(x[0], y[0])
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

// digits splits the number off the front of s.
func digits(s string) (number, rest string) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i], s[i:]
}
