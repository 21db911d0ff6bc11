package frr

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const underlay = "router bgp 65000\n neighbor FABRIC peer-group\n neighbor FABRIC remote-as external\n neighbor swp9 interface peer-group FABRIC\n"

// tenant is a VRF with a machine on swp1.
const tenant = `vrf Vrf1
 vni 1
exit-vrf
router bgp 65000 vrf Vrf1
 neighbor MACHINE peer-group
 neighbor swp1 interface peer-group MACHINE
 neighbor swp1 remote-as 65101
 address-family ipv4 unicast
  neighbor MACHINE activate
  neighbor swp1 route-map PM-IN-swp1 in
 exit-address-family
ip prefix-list PM-IN-swp1 seq 5 permit 10.0.0.1/32
route-map PM-IN-swp1 permit 10
 match ip address prefix-list PM-IN-swp1
`

func TestDiff(t *testing.T) {
	tests := map[string]struct {
		have, want string
		changes    []string
	}{
		"nothing": {underlay + tenant, underlay + tenant, nil},
		"others' things are left alone": {
			"hostname a\nno ip forwarding\nvrf mgmt\n vni 7\nrouter bgp 1 vrf mgmt\nip prefix-list X seq 5 permit any\nroute-map X permit 10\nbfd\n profile X\n  transmit-interval 50\ninterface swp7\n description x\n ipv6 nd ra-interval 5\n" + underlay,
			underlay, nil,
		},
		"a VRF and its machine come": {underlay, underlay + tenant, []string{
			"addition swp1 Vrf1: ip prefix-list PM-IN-swp1 seq 5 permit 10.0.0.1/32",
			"addition swp1 Vrf1: route-map PM-IN-swp1 permit 10 / match ip address prefix-list PM-IN-swp1",
			"addition  Vrf1: router bgp 65000 vrf Vrf1 / bgp default ipv4-unicast",
			"addition  Vrf1: router bgp 65000 vrf Vrf1 / bgp ebgp-requires-policy",
			"addition  Vrf1: router bgp 65000 vrf Vrf1 / no bgp log-neighbor-changes",
			"addition  Vrf1: router bgp 65000 vrf Vrf1 / neighbor MACHINE peer-group",
			"addition  Vrf1: router bgp 65000 vrf Vrf1 / address-family ipv4 unicast / neighbor MACHINE activate",
			"addition swp1 Vrf1: router bgp 65000 vrf Vrf1 / neighbor swp1 interface peer-group MACHINE",
			"addition swp1 Vrf1: router bgp 65000 vrf Vrf1 / address-family ipv4 unicast / neighbor swp1 route-map PM-IN-swp1 in",
			"addition swp1 Vrf1: router bgp 65000 vrf Vrf1 / neighbor swp1 remote-as 65101",
			"addition  Vrf1: vrf Vrf1 / vni 1",
		}},
		"a VRF and its machine go": {underlay + tenant, underlay, []string{
			"neighbour-removal swp1 Vrf1: router bgp 65000 vrf Vrf1 / no neighbor swp1 interface",
			"filter-removal swp1 Vrf1: no route-map PM-IN-swp1 permit 10",
			"filter-removal swp1 Vrf1: no ip prefix-list PM-IN-swp1 seq 5 permit 10.0.0.1/32",
			"instance-removal  Vrf1: vrf Vrf1 / no vni 1",
			"instance-removal  Vrf1: no router bgp 65000 vrf Vrf1",
			"vrf-removal  Vrf1: no vrf Vrf1",
		}},
		"a neighbour of another ASN comes anew": {
			tenant, replace(tenant, "65101", "65102"), []string{
				"neighbour-removal swp1 Vrf1: router bgp 65000 vrf Vrf1 / no neighbor swp1 interface",
				"addition swp1 Vrf1: router bgp 65000 vrf Vrf1 / neighbor swp1 interface peer-group MACHINE",
				"addition swp1 Vrf1: router bgp 65000 vrf Vrf1 / address-family ipv4 unicast / neighbor swp1 route-map PM-IN-swp1 in",
				"addition swp1 Vrf1: router bgp 65000 vrf Vrf1 / neighbor swp1 remote-as 65102",
			},
		},
		"a peer-group that changes keeps its members": {
			underlay, replace(underlay, "remote-as external", "remote-as internal"), []string{
				"addition  : router bgp 65000 / neighbor FABRIC remote-as internal",
			},
		},
		"a peer-group that goes takes its members first": {
			underlay, "router bgp 65000\n", []string{
				"neighbour-removal swp9 : router bgp 65000 / no neighbor swp9 interface",
				"neighbour-removal  : router bgp 65000 / no neighbor FABRIC peer-group",
			},
		},
		"grants: what changes goes before anything comes": {
			"ip prefix-list PM-IN-swp1 seq 5 permit 10.0.0.1/32\nip prefix-list PM-IN-swp1 seq 10 permit 10.0.0.2/32\nip prefix-list PM-IN-swp1 seq 15 permit 10.0.0.3/32\n",
			"ip prefix-list PM-IN-swp1 seq 5 permit 10.0.0.2/32\nip prefix-list PM-IN-swp1 seq 10 permit 10.0.0.3/32\n",
			[]string{
				"addition swp1 : no ip prefix-list PM-IN-swp1 seq 5 permit 10.0.0.1/32",
				"addition swp1 : no ip prefix-list PM-IN-swp1 seq 10 permit 10.0.0.2/32",
				"addition swp1 : no ip prefix-list PM-IN-swp1 seq 15 permit 10.0.0.3/32",
				"addition swp1 : ip prefix-list PM-IN-swp1 seq 5 permit 10.0.0.2/32",
				"addition swp1 : ip prefix-list PM-IN-swp1 seq 10 permit 10.0.0.3/32",
			},
		},
		"route-map entries": {
			"route-map PM-A permit 10\n set community none\n match as-path X\nroute-map PM-A permit 20\n",
			"route-map PM-A permit 10\n set community none\n set large-community none\nroute-map PM-A deny 20\n",
			[]string{
				"addition  : no route-map PM-A permit 20",
				"addition  : route-map PM-A permit 10 / no match as-path X",
				"addition  : route-map PM-A permit 10 / set large-community none",
				"addition  : route-map PM-A deny 20",
			},
		},
		"BFD timers go back to what they were by being set": {
			"bfd\n profile PM-A\n  transmit-interval 50\n profile PM-B\n", "bfd\n profile PM-A\n", []string{
				"addition  : bfd / profile PM-A / transmit-interval 300",
				"filter-removal  : bfd / no profile PM-B",
			},
		},
		"an interval changes only without a lifetime": {
			"interface swp1\n ipv6 nd ra-interval 1\n ipv6 nd ra-lifetime 0\n no ipv6 nd suppress-ra\n",
			"interface swp1\n ipv6 nd ra-interval 10\n ipv6 nd ra-lifetime 0\n no ipv6 nd suppress-ra\n",
			[]string{
				"addition swp1 : interface swp1 / no ipv6 nd ra-lifetime 0",
				"addition swp1 : interface swp1 / ipv6 nd ra-interval 10",
				"addition swp1 : interface swp1 / ipv6 nd ra-lifetime 0",
			},
		},
		"a VNI changes by going first": {
			"vrf Vrf1\n vni 1\n", "vrf Vrf1\n vni 2\n", []string{
				"addition  Vrf1: vrf Vrf1 / no vni 1",
				"addition  Vrf1: vrf Vrf1 / vni 2",
			},
		},
		"drift in a context of ours": {
			underlay + " neighbor 10.0.0.9 remote-as 7\n network 10.0.0.0/8\n address-family ipv6 unicast\n  network ::/0\n", underlay, []string{
				"neighbour-removal  : router bgp 65000 / no neighbor 10.0.0.9",
				"addition  : router bgp 65000 / no network 10.0.0.0/8",
				"addition  : router bgp 65000 / address-family ipv6 unicast / no network ::/0",
			},
		},
		"another ASN means all anew": {
			underlay + tenant, replace(underlay, "65000", "65009") + replace(tenant, "bgp 65000", "bgp 65009"), []string{
				"neighbour-removal swp1 Vrf1: router bgp 65000 vrf Vrf1 / no neighbor swp1 interface",
				"neighbour-removal swp9 : router bgp 65000 / no neighbor swp9 interface",
				"neighbour-removal  Vrf1: vrf Vrf1 / no vni 1",
				"neighbour-removal  Vrf1: no router bgp 65000 vrf Vrf1",
				"neighbour-removal  : no router bgp 65000",
				"addition  : router bgp 65009 / bgp default ipv4-unicast",
				"addition  : router bgp 65009 / bgp ebgp-requires-policy",
				"addition  : router bgp 65009 / no bgp log-neighbor-changes",
				"addition  : router bgp 65009 / neighbor FABRIC peer-group",
				"addition  : router bgp 65009 / neighbor FABRIC remote-as external",
				"addition swp9 : router bgp 65009 / neighbor swp9 interface peer-group FABRIC",
				"addition  Vrf1: router bgp 65009 vrf Vrf1 / bgp default ipv4-unicast",
				"addition  Vrf1: router bgp 65009 vrf Vrf1 / bgp ebgp-requires-policy",
				"addition  Vrf1: router bgp 65009 vrf Vrf1 / no bgp log-neighbor-changes",
				"addition  Vrf1: router bgp 65009 vrf Vrf1 / neighbor MACHINE peer-group",
				"addition  Vrf1: router bgp 65009 vrf Vrf1 / address-family ipv4 unicast / neighbor MACHINE activate",
				"addition swp1 Vrf1: router bgp 65009 vrf Vrf1 / neighbor swp1 interface peer-group MACHINE",
				"addition swp1 Vrf1: router bgp 65009 vrf Vrf1 / address-family ipv4 unicast / neighbor swp1 route-map PM-IN-swp1 in",
				"addition swp1 Vrf1: router bgp 65009 vrf Vrf1 / neighbor swp1 remote-as 65101",
				"addition  Vrf1: vrf Vrf1 / vni 1",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			have, want := mustParse(t, test.have), mustParse(t, test.want)
			changes := Diff(have, want)
			if diff := cmp.Diff(test.changes, describe(changes)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if left := Diff(Patch(have, changes), want); len(left) > 0 {
				t.Errorf("afterwards there is still: %v", left)
			}
			for _, c := range changes {
				if after := Patch(have, changes); !after.Reflects(c) && c.Line != "no vni 1" && c.Stage != StageNeighbourRemoval && c.Line != "no ipv6 nd ra-lifetime 0" {
					t.Errorf("%v is not reflected in\n%s", c, after)
				}
			}
		})
	}
}
