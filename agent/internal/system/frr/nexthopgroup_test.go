package frr

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nexthopGroupsText is what zebra 8.4.4 answers: 37 and 40 are groups, 40 of a group and a next hop that is not in the kernel.
const nexthopGroupsText = `ID: 36 (zebra)
     RefCnt: 10
     Uptime: 00:00:07
     VRF: default
     Valid, Installed
     Interface Index: 7
           via fe80::1:ff:fe02:1, swp50 (vrf default), weight 1
     Dependents: (37)
ID: 37 (zebra)
     RefCnt: 3
     Uptime: 00:00:07
     VRF: default
     Valid, Installed
     Depends: (29) (36)
           via fe80::1:ff:fe01:1, swp49 (vrf default), weight 1
           via fe80::1:ff:fe02:1, swp50 (vrf default), weight 1
ID: 17 (zebra)
     RefCnt: 2
     Uptime: 00:01:33
     VRF: default
     Valid
     Interface Index: 6
           is directly connected, swp49 (vrf default)
ID: 29 (zebra)
     RefCnt: 10
     Uptime: 00:00:15
     VRF: default
     Valid, Installed
     Interface Index: 6
           via fe80::1:ff:fe01:1, swp49 (vrf default), weight 1
     Dependents: (37)
ID: 40 (zebra)
     RefCnt: 1
     VRF: default
     Valid, Installed
     Depends: (37) (17) (29)
ID: 41 (zebra)
     RefCnt: 1
     VRF: default
     Valid, Queued
     Depends: (29) (36)
`

func TestParseNexthopGroups(t *testing.T) {
	want := map[uint32][]uint32{37: {29, 36}, 40: {29}}
	if diff := cmp.Diff(want, parseNexthopGroups(nexthopGroupsText)); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseNexthopGroups(f *testing.F) {
	f.Add(nexthopGroupsText)
	f.Add("ID: 99999999999 (zebra)\n     Valid, Installed\n     Depends: (1) (99999999999)\n")
	f.Fuzz(func(t *testing.T, text string) {
		for id, members := range parseNexthopGroups(text) {
			if len(members) == 0 {
				t.Errorf("group %d has no members", id)
			}
		}
	})
}
