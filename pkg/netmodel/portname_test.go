package netmodel

import (
	"slices"
	"testing"
)

func TestComparePortNames(t *testing.T) {
	counted := []string{"Ethernet8", "Ethernet12", "swp1", "swp1s0", "swp1s2", "swp1s10", "swp2", "swp10", "swp10s0", "uplink"}
	got := slices.Clone(counted)
	slices.Sort(got)
	if slices.Equal(got, counted) {
		t.Fatal("the control: letter by letter it is the same order")
	}
	slices.SortFunc(got, ComparePortNames)
	if !slices.Equal(got, counted) {
		t.Errorf("%q, want %q", got, counted)
	}
}
