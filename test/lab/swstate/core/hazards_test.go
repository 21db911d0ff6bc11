package core

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	member0 = row("VLAN_MEMBER|Vlan100|Ethernet0")
	intf0   = row("INTERFACE|Ethernet0")

	inVLAN = place{bridge, bridge, "Vlan100"}
	inA    = place{"VrfA", "VrfA", "VrfA"}
	inB    = place{"VrfB", "VrfB", "VrfB"}
)

func vrf(name string) Fields { return Fields{"vrf_name": name} }

func (b *bench) toVLAN() { b.set(member0, Fields{"tagging_mode": "untagged"}) }
func (b *bench) toVRF(name string) {
	b.set(intf0, vrf(name))
}

// What is done wrong, and what becomes of it: each row of what was seen on real switches. The moves are of Ethernet0.
func TestHazards(t *testing.T) {
	for name, tc := range map[string]struct {
		from   func(b *bench)
		delays map[string]time.Duration
		do     func(b *bench)
		died   string
		place  place
	}{
		"member deleted and interface set at once: orchagent aborts": {
			from:   (*bench).toVLAN,
			delays: map[string]time.Duration{"intfmgrd INTERFACE": 2 * time.Millisecond, "orchagent VLAN_MEMBER_TABLE": 50 * time.Millisecond},
			do:     func(b *bench) { b.del(member0); b.toVRF("VrfA") },
			died:   "orchagent",
		},
		"interface set when STATE_DB says that the member is gone: orchagent aborts": {
			from:   (*bench).toVLAN,
			delays: map[string]time.Duration{"orchagent VLAN_MEMBER_TABLE": 500 * time.Millisecond},
			do: func(b *bench) {
				b.del(member0)
				b.until("member gone from STATE_DB", func() bool { return !b.sw.has(Key{State, "VLAN_MEMBER_TABLE", "Vlan100", "Ethernet0"}) })
				b.toVRF("VrfA")
			},
			died: "orchagent",
		},
		"interface set before the member is deleted: vlanmgrd dies": {
			from:   (*bench).toVLAN,
			delays: map[string]time.Duration{"orchagent INTF_TABLE": time.Second},
			do:     func(b *bench) { b.toVRF("VrfA"); b.run(10 * time.Millisecond); b.del(member0) },
			died:   "vlanmgrd",
		},
		"both at once, and intfmgrd is the faster: vlanmgrd dies": {
			from:   (*bench).toVLAN,
			delays: map[string]time.Duration{"vlanmgrd VLAN_MEMBER": 20 * time.Millisecond, "orchagent INTF_TABLE": time.Second},
			do:     func(b *bench) { b.del(member0); b.toVRF("VrfA") },
			died:   "vlanmgrd",
		},
		"member set in a VRF, then the interface deleted: in neither, and STATE_DB says ok": {
			from: func(b *bench) { b.toVRF("VrfA") },
			do: func(b *bench) {
				b.toVLAN()
				b.run(3 * time.Second)
				if got, want := b.place("Ethernet0"), (place{bridge, "VrfA", "VrfAVlan100"}); got != want {
					b.Errorf("while it has both: %v, want %v", got, want)
				}
				b.del(intf0)
			},
			place: place{"", bridge, "Vlan100"},
		},
		"VRF changed in place: the kernel has the new one, the ASIC the old": {
			from:  func(b *bench) { b.toVRF("VrfA") },
			do:    func(b *bench) { b.toVRF("VrfB") },
			place: place{"VrfB", "VrfA", "VrfB"},
		},
		"interface deleted and set while orchagent is busy: the ASIC keeps the old VRF": {
			from:   func(b *bench) { b.toVRF("VrfA") },
			delays: map[string]time.Duration{"orchagent INTF_TABLE": time.Second},
			do: func(b *bench) {
				b.del(intf0)
				b.until("interface gone from STATE_DB", func() bool { return !b.sw.has(state("INTERFACE_TABLE", "Ethernet0")) })
				b.toVRF("VrfB")
			},
			place: place{"VrfB", "VrfA", "VrfB"},
		},
		"interface replaced in one transaction: the ASIC keeps the old VRF": {
			from:  func(b *bench) { b.toVRF("VrfA") },
			do:    func(b *bench) { b.replace(intf0, vrf("VrfB")) },
			place: place{"VrfB", "VrfA", "VrfB"},
		},
		"mtu too large: portmgrd dies": {
			from: func(*bench) {},
			do:   func(b *bench) { b.set(row("PORT|Ethernet0"), Fields{"mtu": "9217"}) },
			died: "portmgrd",
		},
		"mtu too small: portmgrd dies": {
			from: func(*bench) {},
			do:   func(b *bench) { b.set(row("PORT|Ethernet0"), Fields{"mtu": "67"}) },
			died: "portmgrd",
		},
		"a VRF's name too long for a device: vrfmgrd dies": {
			from: func(*bench) {},
			do:   func(b *bench) { b.set(row("VRF|Vrf-of-a-customer"), nil) },
			died: "vrfmgrd",
		},
		"a VNI that is no number: vrfmgrd dies": {
			from: func(*bench) {},
			do:   func(b *bench) { b.set(row("VRF|VrfC"), Fields{"vni": "blue"}) },
			died: "vrfmgrd",
		},

		// With a wait for the ASIC between, each move is right, however slow any of them is.
		"VLAN to VRF": {
			from:   (*bench).toVLAN,
			delays: map[string]time.Duration{"orchagent VLAN_MEMBER_TABLE": 700 * time.Millisecond, "vlanmgrd VLAN_MEMBER": 300 * time.Millisecond},
			do: func(b *bench) {
				b.del(member0)
				b.until("bridge port gone", func() bool { return !b.asicRefers("BRIDGE_PORT", "Ethernet0") })
				b.toVRF("VrfA")
			},
			place: inA,
		},
		"VRF to VLAN": {
			from:   func(b *bench) { b.toVRF("VrfA") },
			delays: map[string]time.Duration{"orchagent INTF_TABLE": 700 * time.Millisecond, "intfmgrd INTERFACE": 300 * time.Millisecond},
			do: func(b *bench) {
				b.del(intf0)
				b.until("router interface gone", func() bool { return !b.asicRefers("ROUTER_INTERFACE", "Ethernet0") })
				b.toVLAN()
			},
			place: inVLAN,
		},
		"VRF to VRF": {
			from:   func(b *bench) { b.toVRF("VrfA") },
			delays: map[string]time.Duration{"orchagent INTF_TABLE": 700 * time.Millisecond, "intfmgrd INTERFACE": 300 * time.Millisecond},
			do: func(b *bench) {
				b.del(intf0)
				b.until("router interface gone", func() bool { return !b.asicRefers("ROUTER_INTERFACE", "Ethernet0") })
				b.toVRF("VrfB")
			},
			place: inB,
		},
		"interface deleted before its address: it waits for the address": {
			from: func(b *bench) { b.toVRF("VrfA"); b.set(row("INTERFACE|Ethernet0|10.0.0.1/31"), nil) },
			do: func(b *bench) {
				b.del(intf0)
				b.run(3 * time.Second)
				if got := b.place("Ethernet0"); got != inA {
					b.Errorf("with its address still there: %v", got)
				}
				b.del(row("INTERFACE|Ethernet0|10.0.0.1/31"))
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 1)
			tc.from(b)
			b.run(10 * time.Second)
			if tc.delays != nil {
				b.delays = tc.delays
			}
			tc.do(b)
			b.run(time.Minute)
			if b.died != tc.died {
				t.Fatalf("died: %q, want %q\n%v", b.died, tc.died, b.effects)
			}
			if tc.died != "" {
				if _, ok := b.sw.Next(); ok {
					t.Error("a dead switch has something to do")
				}
				return
			}
			if diff := cmp.Diff(tc.place, b.place("Ethernet0")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is dropped, and never tried again.
func TestDropped(t *testing.T) {
	object := func(name string) Key { return state("VRF_OBJECT_TABLE", name) }
	t.Run("a VNI that another VRF has: VRF_TABLE says ok, and there is no object", func(t *testing.T) {
		b := newBench(t, 1)
		b.set(row("VRF|VrfC"), Fields{"vni": "1001"})
		b.run(time.Minute)
		if !b.sw.has(state("VRF_TABLE", "VrfC")) || b.sw.has(object("VrfC")) {
			t.Error("want a row in VRF_TABLE and none in VRF_OBJECT_TABLE")
		}
		b.del(row("VRF|VrfC"))
		b.run(time.Minute)
		if !b.sw.has(state("VRF_TABLE", "VrfC")) {
			t.Error("a VRF that never had an object could be deleted")
		}
	})
	t.Run("a VNI changed in place", func(t *testing.T) {
		b := newBench(t, 1)
		b.set(row("VRF|VrfA"), Fields{"vni": "2001"})
		b.run(time.Minute)
		if got := b.sw.vrfVNIs["VrfA"]; got != 1001 {
			t.Errorf("the VRF has VNI %d", got)
		}
	})
	t.Run("no NVO: no object until it comes", func(t *testing.T) {
		b := newBench(t, 1)
		b.now = b.now.Add(time.Second)
		config := testConfig(1)
		delete(config, row("VXLAN_EVPN_NVO|nvo"))
		b.start(config)
		b.run(time.Minute)
		if !b.sw.has(state("VRF_TABLE", "VrfA")) || b.sw.has(object("VrfA")) {
			t.Error("want a row in VRF_TABLE and none in VRF_OBJECT_TABLE")
		}
		b.set(row("VXLAN_EVPN_NVO|nvo"), Fields{"source_vtep": "vtep"})
		b.run(time.Minute)
		if !b.sw.has(object("VrfA")) {
			t.Error("the NVO came, the object did not")
		}
	})
	t.Run("an NVO with a field too many", func(t *testing.T) {
		b := newBench(t, 1)
		b.start(map[Key]Fields{row("VXLAN_TUNNEL|vtep"): {"src_ip": "10.255.1.1"}, row("VXLAN_EVPN_NVO|nvo"): {"source_vtep": "vtep", "mtu": "9000"}})
		b.run(time.Minute)
		if len(b.sw.keys(Appl, "VXLAN_EVPN_NVO_TABLE")) != 0 {
			t.Error("the NVO was taken")
		}
	})
	t.Run("a tunnel's map replaced in one transaction: the new one is looked at first, and dropped", func(t *testing.T) {
		b := newBench(t, 1, row("VLAN|Vlan20"), row("VLAN|Vlan10"))
		old, replacement := row("VXLAN_TUNNEL_MAP|vtep|map_1001_Vlan20"), row("VXLAN_TUNNEL_MAP|vtep|map_1001_Vlan10")
		b.set(old, Fields{"vlan": "Vlan20", "vni": "1001"})
		b.run(time.Minute)
		if len(b.sw.asic.mapEntries) != 1 {
			t.Fatal("the first map is not in the ASIC")
		}
		b.del(old)
		b.set(replacement, Fields{"vlan": "Vlan10", "vni": "1001"})
		b.run(time.Minute)
		if len(b.sw.asic.mapEntries) != 0 || !b.logged("VNI 1001 already mapped") {
			t.Error("the new map was not dropped")
		}
	})
	t.Run("a VTEP's name too long for its devices: STATE_DB names one that is not there", func(t *testing.T) {
		b := newBench(t, 1, row("VLAN|Vlan3000"))
		b.set(row("VXLAN_TUNNEL|longvtepname"), Fields{"src_ip": "10.255.1.2"})
		b.set(row("VXLAN_TUNNEL_MAP|longvtepname|map_1001_Vlan3000"), Fields{"vlan": "Vlan3000", "vni": "1001"})
		b.run(time.Minute)
		if !b.sw.has(state("SUPPRESS_VLAN_NEIGH_TABLE", "Vlan3000")) || b.logged("add vxlan longvtepname-3000") {
			t.Errorf("want a row and no device: %v", b.effects)
		}
	})
	t.Run("a VLAN's mac: the whole bridge goes down for it", func(t *testing.T) {
		b := newBench(t, 1)
		b.set(row("VLAN|Vlan100"), Fields{"mac": "02:00:00:00:00:99"})
		b.run(time.Minute)
		if !b.logged("set Bridge down") || !b.logged("set Bridge address 02:00:00:00:00:99") {
			t.Errorf("the bridge was left alone: %v", b.effects)
		}
	})
	t.Run("a tunnel's map replaced in two steps", func(t *testing.T) {
		b := newBench(t, 1, row("VLAN|Vlan20"), row("VLAN|Vlan10"))
		old, replacement := row("VXLAN_TUNNEL_MAP|vtep|map_1001_Vlan20"), row("VXLAN_TUNNEL_MAP|vtep|map_1001_Vlan10")
		b.set(old, Fields{"vlan": "Vlan20", "vni": "1001"})
		b.run(time.Minute)
		b.del(old)
		b.until("map gone", func() bool { return !b.sw.has(state("SUPPRESS_VLAN_NEIGH_TABLE", "Vlan20")) })
		b.set(replacement, Fields{"vlan": "Vlan10", "vni": "1001"})
		b.run(time.Minute)
		if len(b.sw.asic.mapEntries) != 1 || b.sw.Row(state("SUPPRESS_VLAN_NEIGH_TABLE", "Vlan10"))["netdev"] != "vtep-10" {
			t.Error("the new map is not there")
		}
	})
}
