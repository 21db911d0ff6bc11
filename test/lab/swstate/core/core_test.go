package core

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A switch comes up by itself: ports, their objects and names, then all else.
func TestStart(t *testing.T) {
	b := newBench(t, 2)
	for key, want := range map[Key]Fields{
		state("PORT_TABLE", "Ethernet4"):                        {"state": "ok", "admin_status": "down", "mtu": "1500", "netdev_oper_status": "down", "host_tx_ready": "false"},
		state("VLAN_TABLE", "Vlan100"):                          stateOK,
		state("VRF_TABLE", "VrfA"):                              stateOK,
		state("VRF_OBJECT_TABLE", "VrfA"):                       stateOK,
		{DB: Appl, Table: "PORT_TABLE", Name: "PortInitDone"}:   {"lanes": "0"},
		{DB: Appl, Table: "PORT_TABLE", Name: "PortConfigDone"}: {"count": "2"},
		{DB: Counters, Table: "COUNTERS_RIF_NAME_MAP"}:          nil,
		{DB: Counters, Table: "COUNTERS_PORT_NAME_MAP"}:         {"Ethernet0": "oid:0x1000000000005", "Ethernet4": "oid:0x1000000000006"},
		{DB: Appl, Table: "VLAN_TABLE", Name: "Vlan100"}:        {"vlanid": "100", "admin_status": "up", "mtu": "9100", "mac": testMAC, "host_ifname": ""},
		objectKey("PORT", "oid:0x1000000000006"):                {"SAI_PORT_ATTR_ADMIN_STATE": "true", "SAI_PORT_ATTR_MTU": "9122", "SAI_PORT_ATTR_SPEED": "25000", "SAI_PORT_ATTR_HW_LANE_LIST": "1:4"},
	} {
		if diff := cmp.Diff(want, b.sw.Row(key)); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	for _, want := range []string{
		"reset the kernel; Bridge has " + testMAC, "set Ethernet0 mtu 9100", "set Ethernet0 up", "add Vlan100 address " + testMAC,
		"add vrf VrfA table 1001", "add vrf VrfB table 1002",
	} {
		if !slices.Contains(b.effects, want) {
			t.Errorf("the kernel was not told: %s", want)
		}
	}
}

// A tenant's VRF comes and goes in the order that switches want.
func TestTenant(t *testing.T) {
	b := newBench(t, 1)
	steps := []struct {
		key    Key
		fields Fields
	}{
		{row("VRF|VrfC"), Fields{"vni": "1003"}},
		{row("VLAN|Vlan3000"), Fields{"vlanid": "3000"}},
		{row("VLAN_INTERFACE|Vlan3000"), vrf("VrfC")},
		{row("VXLAN_TUNNEL_MAP|vtep|map_1003_Vlan3000"), Fields{"vlan": "Vlan3000", "vni": "1003"}},
		{intf0, vrf("VrfC").merge(Fields{"ipv6_use_link_local_only": "enable"})},
	}
	before := b.snapshot()
	for _, s := range steps { // all at once: creation's order is tolerated
		b.set(s.key, s.fields)
	}
	b.run(time.Minute)
	if diff := cmp.Diff(place{"VrfC", "VrfC", "VrfC"}, b.place("Ethernet0")); diff != "" {
		t.Error(diff)
	}
	for _, want := range []string{"add vrf VrfC table 1003", "set Vlan3000 master VrfC", "add vxlan vtep-3000 id 1003 local 10.255.1.1, VLAN 3000", "set Ethernet0 master VrfC"} {
		if !slices.Contains(b.effects, want) {
			t.Errorf("the kernel was not told: %s\n%s", want, strings.Join(b.effects, "\n"))
		}
	}
	for _, i := range []int{4, 3, 2, 1, 0} {
		b.del(steps[i].key)
	}
	b.run(time.Minute)
	if diff := cmp.Diff(before, b.snapshot()); diff != "" {
		t.Error("something stayed:", diff)
	}
}

// The same start gives the same effects, in the same order.
func TestDeterministic(t *testing.T) {
	var runs [2][]string
	for i := range runs {
		b := newBench(t, 8)
		for p := range 8 {
			b.set(Key{Config, "VLAN_MEMBER", "Vlan100", portName(p)}, Fields{"tagging_mode": "untagged"})
		}
		b.run(time.Minute)
		runs[i] = b.effects
	}
	if diff := cmp.Diff(runs[0], runs[1]); diff != "" {
		t.Error(diff)
	}
}

// A port that is pulled and plugged in again comes back to where its rows say.
func TestPulledPort(t *testing.T) {
	b := newBench(t, 1)
	b.toVRF("VrfA")
	b.run(time.Minute)
	b.sw.DeleteLink(b.now, "Ethernet0")
	b.run(time.Second)
	if b.sw.has(state("PORT_TABLE", "Ethernet0")) {
		t.Error("STATE_DB has a port without a device")
	}
	b.effects = nil
	b.sw.SetLink(b.now, "Ethernet0", Link{MTU: 1500})
	b.run(time.Second)
	for _, want := range []string{"set Ethernet0 master VrfA", "set Ethernet0 mtu 9100", "set Ethernet0 up"} {
		if !slices.Contains(b.effects, want) {
			t.Errorf("the kernel was not told: %s", want)
		}
	}
}
