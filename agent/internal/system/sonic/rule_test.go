package sonic

import (
	"errors"
	"strings"
	"testing"
)

func key(text string) Key {
	k, ok := parseKey(text, "|")
	if !ok {
		panic("no key: " + text)
	}
	return k
}

func TestRowsThatAreWritten(t *testing.T) {
	for text, row := range map[string]Row{
		"PORT|Ethernet0":                              {"admin_status": "up", "mtu": "9216"},
		"PORT|Ethernet124":                            {"mtu": "68"},
		"INTERFACE|Ethernet0":                         {"vrf_name": "Vrf104001", "ipv6_use_link_local_only": "enable"},
		"INTERFACE|Ethernet0|10.0.0.1/31":             {},
		"VLAN|Vlan2":                                  {"vlanid": "2", "admin_status": "up", "mtu": "9166", "description": "pointsman"},
		"VLAN_MEMBER|Vlan4094|Ethernet4":              {"tagging_mode": "untagged"},
		"VLAN_INTERFACE|Vlan20":                       {"vrf_name": "Vrfprovision"},
		"VLAN_INTERFACE|Vlan20|fd00:20:1::1/64":       {},
		"VRF|Vrf_a-Z12345678":                         {"vni": "16777215"},
		"VRF|Vrfprovision":                            {},
		"VXLAN_TUNNEL|vtep":                           {"src_ip": "10.255.0.11"},
		"VXLAN_EVPN_NVO|nvo":                          {"source_vtep": "vtep"},
		"VXLAN_TUNNEL_MAP|vtep|map_104001_Vlan1000":   {"vni": "104001", "vlan": "Vlan1000"},
		"VXLAN_TUNNEL_MAP|vtep|map_16777215_Vlan4094": {"vni": "16777215", "vlan": "Vlan4094"},
	} {
		if err := validate(key(text), row); err != nil {
			t.Errorf("%s %v is refused: %v", text, row, err)
		}
	}
}

// Every bound of SONiC's tables, and what breaks it. The error names table, key, field, value and bound.
func TestRowsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		key  string
		row  Row
		want string
	}{
		{"PORT|Ethernet0", Row{"mtu": "67"}, `PORT|Ethernet0: mtu "67" is not in 68..9216`},
		{"PORT|Ethernet0", Row{"mtu": "9217"}, `PORT|Ethernet0: mtu "9217" is not in 68..9216`},
		{"PORT|Ethernet0", Row{"mtu": "09000"}, "not in 68..9216"},
		{"PORT|Ethernet0", Row{"mtu": "-1"}, "not in 68..9216"},
		{"PORT|Ethernet0", Row{"admin_status": "UP"}, `PORT|Ethernet0: admin_status "UP" is not one of up, down`},
		{"PORT|Ethernet0", Row{"speed": "25000"}, `speed "25000" is not a field that the agent writes`},
		{"PORT|ethernet0", Row{"mtu": "9000"}, `PORT|ethernet0: key "ethernet0" is not a port`},
		{"PORT|Ethernet0.10", Row{"mtu": "9000"}, "is not a port"},
		{"PORT|Ethernet0|x", Row{"mtu": "9000"}, "complete"},
		{"INTERFACE|Ethernet0", Row{"vrf_name": "mgmt"}, `vrf_name "mgmt" is not Vrf and up to 12`},
		{"INTERFACE|Ethernet0", Row{"vrf_name": "Vrf1234567890123"}, "is not Vrf and up to 12"},
		{"INTERFACE|Ethernet0", Row{"ipv6_use_link_local_only": "true"}, `"true" is not one of enable, disable`},
		{"INTERFACE|Ethernet0|10.0.0.1", Row{}, `INTERFACE|Ethernet0|10.0.0.1: key "10.0.0.1" is not an address with its prefix length`},
		{"INTERFACE|Ethernet0|10.0.0.1/33", Row{}, "not an address"},
		{"INTERFACE|Ethernet0|fe80::1%eth0/64", Row{}, "not an address"},
		{"INTERFACE|Ethernet0|10.0.0.1/31", Row{"scope": "global"}, "not empty: an address has no fields"},
		{"VLAN|Vlan1", Row{"vlanid": "1"}, `VLAN|Vlan1: key "Vlan1" is not Vlan2..Vlan4094`},
		{"VLAN|Vlan4095", Row{"vlanid": "4095"}, "not Vlan2..Vlan4094"},
		{"VLAN|Vlan007", Row{"vlanid": "7"}, "not Vlan2..Vlan4094"},
		{"VLAN|Vlan20", Row{"vlanid": "21"}, `VLAN|Vlan20: vlanid "21" is not that of the key, 20`},
		{"VLAN|Vlan20", Row{"mtu": "9000"}, `VLAN|Vlan20: vlanid "" is not there, and must be`},
		{"VLAN|Vlan20", Row{"vlanid": "20", "mac": "02:00:00:00:00:01"}, "mac"},
		{"VLAN|Vlan20", Row{"vlanid": "20", "mtu": "9217"}, "not in 1..9216"},
		{"VLAN_MEMBER|Vlan20|Ethernet0", Row{}, "tagging_mode"},
		{"VLAN_MEMBER|Vlan20|Ethernet0", Row{"tagging_mode": "access"}, `"access" is not one of tagged, untagged`},
		{"VLAN_MEMBER|Vlan20", Row{"tagging_mode": "untagged"}, "complete"},
		{"VLAN_MEMBER|Vlan20|PortChannel1", Row{"tagging_mode": "untagged"}, "is not a port"},
		{"VRF|Red", Row{}, `VRF|Red: key "Red" is not Vrf and up to 12`},
		{"VRF|Vrf", Row{}, "is not Vrf and up to 12"},
		{"VRF|Vrf1", Row{"vni": "16777216"}, `VRF|Vrf1: vni "16777216" is not in 0..16777215`},
		{"VRF|Vrf1", Row{"fallback": "true"}, "fallback"},
		{"VXLAN_TUNNEL|my-vtep", Row{"src_ip": "10.0.0.1"}, `VXLAN_TUNNEL|my-vtep: key "my-vtep" is not up to 10 letters and digits`},
		{"VXLAN_TUNNEL|elevenchars", Row{"src_ip": "10.0.0.1"}, "is not up to 10"},
		{"VXLAN_TUNNEL|vtep", Row{"src_ip": "fd00::1"}, "is not an IPv4 address"},
		{"VXLAN_TUNNEL|vtep", Row{}, "src_ip"},
		{"VXLAN_EVPN_NVO|nvo", Row{"source_vtep": "vtep", "x": "y"}, "not a field"},
		{"VXLAN_TUNNEL_MAP|vtep|map_0_Vlan1000", Row{"vni": "0", "vlan": "Vlan1000"}, "is not map_VNI_VlanID"},
		{"VXLAN_TUNNEL_MAP|vtep|map_1_Vlan1000", Row{"vni": "2", "vlan": "Vlan1000"}, `key "map_1_Vlan1000" is not of the form that orchagent parses, map_2_Vlan1000`},
		{"VXLAN_TUNNEL_MAP|vtep|map_16777216_Vlan1000", Row{"vni": "16777216", "vlan": "Vlan1000"}, "is not in 1..16777215"},
		{"DEVICE_METADATA|localhost", Row{"mac": "02:00:00:00:00:01"}, "is not a table that the agent writes"},
	} {
		err := validate(key(c.key), c.row)
		var broken *RuleError
		if !errors.As(err, &broken) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: %v; want %q", c.key, c.row, err, c.want)
		}
	}
}

// What breaks no rule by itself, and a daemon beside what is there.
func TestRowsThatConflict(t *testing.T) {
	have := rows{
		key("PORT|Ethernet0"): {}, key("PORT|Ethernet4"): {}, key("PORT|Ethernet8"): {}, key("PORT|Ethernet12"): {}, key("PORT|Ethernet16"): {},
		key("VLAN|Vlan20"): {}, key("VLAN|Vlan21"): {}, key("VLAN|Vlan1000"): {}, key("VLAN|Vlan1001"): {},
		key("VLAN_MEMBER|Vlan20|Ethernet0"): {"tagging_mode": "untagged"},
		key("INTERFACE|Ethernet4"):          {"vrf_name": "Vrf1"},
		key("VRF|Vrf1"):                     {"vni": "1"}, key("VRF|Vrf2"): {}, key("VRF|Vrf3"): {"vni": "3"},
		key("VXLAN_TUNNEL|vtep"):                         {"src_ip": "10.0.0.1"},
		key("VXLAN_EVPN_NVO|nvo"):                        {"source_vtep": "vtep"},
		key("VXLAN_TUNNEL_MAP|vtep|map_1_Vlan1000"):      {"vni": "1", "vlan": "Vlan1000"},
		key("PORTCHANNEL_MEMBER|PortChannel1|Ethernet8"): {}, key("VLAN_SUB_INTERFACE|Ethernet12.10"): {},
	}
	for _, c := range []struct {
		key  string
		row  Row
		want string // "" is none
	}{
		{"PORT|Ethernet99", Row{"mtu": "9000"}, "there is no such port"},
		{"INTERFACE|Ethernet0", Row{}, "member still: VLAN_MEMBER|Vlan20|Ethernet0; vlanmgrd dies"},
		{"INTERFACE|Ethernet4", Row{"vrf_name": "Vrf2"}, `may not change in place from "Vrf1" to "Vrf2"`},
		{"INTERFACE|Ethernet4", Row{"vrf_name": "Vrf1"}, ""},
		{"INTERFACE|Ethernet8", Row{}, "part of PortChannel1"},
		{"INTERFACE|Ethernet12", Row{}, "sub-interface"},
		{"INTERFACE|Ethernet16", Row{"vrf_name": "Vrf9"}, `vrf_name "Vrf9" is no row of VRF`},
		{"INTERFACE|Ethernet16|10.0.0.1/31", Row{}, "needs the row INTERFACE|Ethernet16 first"},
		{"INTERFACE|Ethernet16", Row{"vrf_name": "Vrf2"}, ""},
		{"VLAN_MEMBER|Vlan20|Ethernet4", Row{"tagging_mode": "untagged"}, "routed still (INTERFACE|Ethernet4)"},
		{"VLAN_MEMBER|Vlan21|Ethernet0", Row{"tagging_mode": "untagged"}, "untagged in Vlan20 already"},
		{"VLAN_MEMBER|Vlan21|Ethernet0", Row{"tagging_mode": "tagged"}, ""},
		{"VLAN_MEMBER|Vlan99|Ethernet16", Row{"tagging_mode": "untagged"}, "there is no VLAN|Vlan99"},
		{"VLAN_INTERFACE|Vlan99", Row{}, "there is no VLAN|Vlan99"},
		{"VRF|Vrf2", Row{"vni": "1"}, "vni 1 is that of VRF|Vrf1 already"},
		{"VRF|Vrf1", Row{"vni": "7"}, "vni may not change in place from 1 to 7"},
		{"VRF|Vrf2", Row{"vni": "7"}, ""},
		{"VXLAN_EVPN_NVO|nvo", Row{"source_vtep": "other"}, `source_vtep "other" is no row`},
		{"VXLAN_TUNNEL_MAP|vtep|map_1_Vlan1001", Row{"vni": "1", "vlan": "Vlan1001"}, "vni 1 is that of VXLAN_TUNNEL_MAP|vtep|map_1_Vlan1000 already"},
		{"VXLAN_TUNNEL_MAP|vtep|map_2_Vlan1000", Row{"vni": "2", "vlan": "Vlan1000"}, "Vlan1000 has a VNI already"},
		{"VXLAN_TUNNEL_MAP|other|map_2_Vlan1001", Row{"vni": "2", "vlan": "Vlan1001"}, "there is no VXLAN_TUNNEL|other"},
		{"VXLAN_TUNNEL_MAP|vtep|map_2_Vlan1001", Row{"vni": "2", "vlan": "Vlan1001"}, ""},
	} {
		err := conflict(have, key(c.key), c.row)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: %v; want %q", c.key, c.row, err, c.want)
		}
	}
	delete(have, key("VXLAN_EVPN_NVO|nvo"))
	if err := conflict(have, key("VRF|Vrf2"), Row{"vni": "7"}); err == nil || !strings.Contains(err.Error(), "VXLAN_EVPN_NVO") {
		t.Errorf("a VRF with a VNI before the overlay: %v", err)
	}
}

func TestVRFsHaveABound(t *testing.T) {
	have := rows{}
	for n := range maxVRFs {
		have[Key{Table: tableVRF, Name: "Vrf" + string(rune('a'+n%26)) + strings.Repeat("x", n/26)}] = Row{}
	}
	if err := conflict(have, key("VRF|VrfNew"), Row{}); err == nil {
		t.Error("one more VRF than SONiC takes is not refused")
	}
	for k := range have {
		if err := conflict(have, k, Row{}); err != nil {
			t.Errorf("one that is there is refused: %v", err)
		}
		break
	}
}
