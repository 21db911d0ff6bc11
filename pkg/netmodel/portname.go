package netmodel

import (
	"cmp"
	"strconv"
	"strings"
)

// ComparePortNames orders ports as they are counted: swp2 before swp10, and swp2s1 before both swp2s10 and swp10s0.
func ComparePortNames(a, b string) int {
	for a != "" && b != "" {
		headA, numberA, restA := cutNumber(a)
		headB, numberB, restB := cutNumber(b)
		if c := cmp.Or(strings.Compare(headA, headB), cmp.Compare(numberA, numberB)); c != 0 {
			return c
		}
		a, b = restA, restB
	}
	return strings.Compare(a, b)
}

// cutNumber divides a name into what is before its first number, that number, and the rest.
func cutNumber(name string) (head string, number uint64, rest string) {
	i := strings.IndexAny(name, "0123456789")
	if i < 0 {
		return name, 0, ""
	}
	rest = strings.TrimLeft(name[i:], "0123456789")
	number, _ = strconv.ParseUint(name[i:len(name)-len(rest)], 10, 64)
	return name[:i], number, rest
}
