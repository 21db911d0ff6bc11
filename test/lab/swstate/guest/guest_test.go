// Package guest tries the switch-state daemon on real Redis and a real kernel.
package guest

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"

	"github.com/pointsman/pointsman/test/lab/guesttest"
	"github.com/pointsman/pointsman/test/sonicguest"
)

func TestMain(m *testing.M) { guesttest.Main(m) }

func set(t *testing.T, s *sonicguest.Switch, key string, fields ...any) {
	t.Helper()
	if len(fields) == 0 {
		fields = []any{"NULL", "NULL"}
	}
	if err := s.DB("CONFIG_DB").HSet(t.Context(), key, fields...).Err(); err != nil {
		t.Fatal(err)
	}
}

func del(t *testing.T, s *sonicguest.Switch, keys ...string) {
	t.Helper()
	if err := s.DB("CONFIG_DB").Del(t.Context(), keys...).Err(); err != nil {
		t.Fatal(err)
	}
}

// masterOf names what the kernel has a device in.
func masterOf(t *testing.T, device string) string {
	t.Helper()
	link, err := netlink.LinkByName(device)
	if err != nil {
		t.Fatal(err)
	}
	if link.Attrs().MasterIndex == 0 {
		return ""
	}
	master, err := netlink.LinkByIndex(link.Attrs().MasterIndex)
	if err != nil {
		t.Fatal(err)
	}
	return master.Attrs().Name
}

// asicHas tells whether an object of a kind has a port's object as its PORT_ID.
func asicHas(t *testing.T, s *sonicguest.Switch, kind, port string) bool {
	t.Helper()
	oid := s.Row(t, "COUNTERS_DB", "COUNTERS_PORT_NAME_MAP")[port]
	if oid == "" {
		t.Fatalf("%s has no object", port)
	}
	for _, o := range s.Objects(t, kind) {
		if o["PORT_ID"] == oid {
			return true
		}
	}
	return false
}

func tenant(t *testing.T, s *sonicguest.Switch) {
	t.Helper()
	set(t, s, "VXLAN_TUNNEL|vtep", "src_ip", "10.255.1.1")
	set(t, s, "VXLAN_EVPN_NVO|nvo", "source_vtep", "vtep")
	set(t, s, "VRF|Vrf1001", "vni", "1001")
	set(t, s, "VLAN|Vlan3001", "vlanid", "3001")
	set(t, s, "VLAN_INTERFACE|Vlan3001", "vrf_name", "Vrf1001")
	set(t, s, "VXLAN_TUNNEL_MAP|vtep|map_1001_Vlan3001", "vlan", "Vlan3001", "vni", "1001")
	s.Await(t, "the VRF's object", func() bool { return s.Has("STATE_DB", "VRF_OBJECT_TABLE|Vrf1001") })
	s.Await(t, "the VXLAN device", func() bool { return s.Has("STATE_DB", "SUPPRESS_VLAN_NEIGH_TABLE|Vlan3001") })
	s.Await(t, "the SVI", func() bool { return s.Row(t, "STATE_DB", "INTERFACE_TABLE|Vlan3001")["vrf"] == "Vrf1001" })
}

// A tenant's VRF, a port that moves into it by the rules, and a restart that finds everything again.
func TestSwitch(t *testing.T) {
	s := sonicguest.Start(t, sonicguest.Options{Ports: 2, MaxDelay: 100 * time.Millisecond, Retry: 50 * time.Millisecond, Seed: 1, Split: true})
	tenant(t, s)
	for device, master := range map[string]string{"Vlan3001": "Vrf1001", "vtep-3001": "Bridge"} {
		if got := masterOf(t, device); got != master {
			t.Errorf("%s is in %q, want %s", device, got, master)
		}
	}
	link, err := netlink.LinkByName("vtep-3001")
	if err != nil {
		t.Fatal(err)
	}
	if v := link.(*netlink.Vxlan); v.VxlanId != 1001 || v.SrcAddr.String() != "10.255.1.1" || v.Port != 4789 || v.Learning {
		t.Errorf("the VXLAN device is %+v", v)
	}
	if vlans := vlansOf(t, "vtep-3001"); vlans != "3001 pvid untagged" {
		t.Errorf("the VXLAN device is in VLAN %s", vlans)
	}
	port := func(fields ...any) { set(t, s, "PORT|Ethernet0", fields...) }
	port("admin_status", "up", "mtu", "9000")
	s.Await(t, "the port up with its MTU", func() bool {
		row := s.Row(t, "STATE_DB", "PORT_TABLE|Ethernet0")
		return row["admin_status"] == "up" && row["mtu"] == "9000" && row["netdev_oper_status"] == "up"
	})

	set(t, s, "VLAN|Vlan100", "vlanid", "100")
	set(t, s, "VLAN_MEMBER|Vlan100|Ethernet0", "tagging_mode", "untagged")
	s.Await(t, "the bridge port", func() bool { return asicHas(t, s, "BRIDGE_PORT", "Ethernet0") })
	if got := masterOf(t, "Ethernet0") + " " + vlansOf(t, "Ethernet0"); got != "Bridge 100 pvid untagged" {
		t.Errorf("Ethernet0 is in %s", got)
	}
	del(t, s, "VLAN_MEMBER|Vlan100|Ethernet0")
	s.Await(t, "the bridge port gone", func() bool { return !asicHas(t, s, "BRIDGE_PORT", "Ethernet0") })
	set(t, s, "INTERFACE|Ethernet0", "vrf_name", "Vrf1001", "ipv6_use_link_local_only", "enable")
	s.Await(t, "the router interface", func() bool { return asicHas(t, s, "ROUTER_INTERFACE", "Ethernet0") })
	if got := masterOf(t, "Ethernet0"); got != "Vrf1001" {
		t.Errorf("Ethernet0 is in %q", got)
	}

	if died := s.Stop(t); died != nil {
		t.Fatal(died)
	}
	s.Run(t)
	s.Await(t, "the router interface after a restart", func() bool { return asicHas(t, s, "ROUTER_INTERFACE", "Ethernet0") })
	s.Await(t, "the VXLAN device after a restart", func() bool { return s.Has("STATE_DB", "SUPPRESS_VLAN_NEIGH_TABLE|Vlan3001") })
	if got := masterOf(t, "Ethernet0"); got != "Vrf1001" {
		t.Errorf("after a restart, Ethernet0 is in %q", got)
	}

	// A reload has only what was saved.
	if died := s.Stop(t); died != nil {
		t.Fatal(died)
	}
	s.Boot(t)
	if _, err := netlink.LinkByName("Vrf1001"); err == nil {
		t.Error("a VRF that nobody saved outlived a reload")
	}
	if got := masterOf(t, "Ethernet0"); got != "" {
		t.Errorf("after a reload, Ethernet0 is in %q", got)
	}
}

// vlansOf tells a bridge port's VLANs, as text.
func vlansOf(t *testing.T, device string) string {
	t.Helper()
	link, err := netlink.LinkByName(device)
	if err != nil {
		t.Fatal(err)
	}
	all, err := netlink.BridgeVlanList()
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, v := range all[int32(link.Attrs().Index)] {
		text := strconv.Itoa(int(v.Vid))
		if v.Flags&nl.BRIDGE_VLAN_INFO_PVID != 0 {
			text += " pvid"
		}
		if v.Flags&nl.BRIDGE_VLAN_INFO_UNTAGGED != 0 {
			text += " untagged"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

// A port that is told to enter a VRF while it is in a VLAN ends the switch on real Redis as it does in the machine by itself: orchagent, if it
// comes to it first, and else vlanmgrd, when the port is to leave the VLAN.
func TestOutOfOrder(t *testing.T) {
	s := sonicguest.Start(t, sonicguest.Options{Ports: 1, Retry: 50 * time.Millisecond, Seed: 3})
	tenant(t, s)
	set(t, s, "VLAN|Vlan100", "vlanid", "100")
	set(t, s, "VLAN_MEMBER|Vlan100|Ethernet0", "tagging_mode", "untagged")
	s.Await(t, "the bridge port", func() bool { return asicHas(t, s, "BRIDGE_PORT", "Ethernet0") })
	set(t, s, "INTERFACE|Ethernet0", "vrf_name", "Vrf1001")
	s.Await(t, "the VRF in STATE_DB", func() bool { return s.Row(t, "STATE_DB", "INTERFACE_TABLE|Ethernet0")["vrf"] == "Vrf1001" })
	del(t, s, "VLAN_MEMBER|Vlan100|Ethernet0")
	s.Await(t, "a death", func() bool { return s.Died(t) != nil })
	if died := s.Stop(t); died.Daemon != "orchagent" && died.Daemon != "vlanmgrd" {
		t.Error(died)
	}
}

// portmgrd dies of an MTU, and the process with it.
func TestMTU(t *testing.T) {
	s := sonicguest.Start(t, sonicguest.Options{Ports: 1, Seed: 1})
	set(t, s, "PORT|Ethernet0", "mtu", "9300")
	s.Await(t, "a death", func() bool { return s.Died(t) != nil })
	if died := s.Stop(t); died.Daemon != "portmgrd" {
		t.Error(died)
	}
}
