package intent

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

func borderConfig() netmodel.SwitchConfig {
	c := config("store-1")
	c.Role = netmodel.RoleBorder
	for _, p := range []string{"swp1", "swp2"} {
		c.Ports = append(c.Ports, netmodel.SwitchPort{Name: p, Role: netmodel.PortExternal})
	}
	return c
}

func vrfIntent(vrf string, generation uint64, ports ...string) netmodel.VRFIntent {
	v := netmodel.VRFIntent{
		Switch: leaf, VRF: vrf, Generation: generation, VNI: 100009, Project: "ops", Network: "internet",
		Imports: []netmodel.Grant{{Prefix: netip.MustParsePrefix("0.0.0.0/0")}}, Exports: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/24")},
	}
	for _, p := range ports {
		v.Peers = append(v.Peers, netmodel.VRFPeer{Port: p, ASN: 64496, MaximumPrefix: 20})
	}
	return v
}

func (m *mirror) withVRFs(t *testing.T, vrfs ...netmodel.VRFIntent) *mirror {
	t.Helper()
	for _, v := range vrfs {
		m.put(keys.VRFIntent(leaf, v.VRF), encoded(t, wire.VRFIntentCodec, v))
	}
	return m
}

// TestExternalPorts: each gets its part of the intent of its VRF, at that generation, and is down when no VRF wants it.
func TestExternalPorts(t *testing.T) {
	early, now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	c := borderConfig()
	was := judge(leaf, last{}, stored(t, 10, &c).withVRFs(t, vrfIntent("Vrf100009", 3, "swp1")), false, early).last
	if p := was.intent.Ports["swp1"]; p.Mode != netmodel.ModeVRF || p.VRF != "Vrf100009" || p.PeerASN != 64496 || p.External == nil || p.External.MaximumPrefix != 20 {
		t.Fatalf("the port's intent is %+v", p)
	}
	unreadable := stored(t, 11, &c)
	unreadable.put(keys.VRFIntent(leaf, "Vrf100009"), []byte(`{"generation":"4","exports":["10.9.0.0/99"]}`))
	deleted := stored(t, 11, &c).withVRFs(t, vrfIntent("Vrf100009", 3, "swp1"))
	deleted.delete(keys.VRFIntent(leaf, "Vrf100009"))
	type place struct {
		Mode       netmodel.PortMode
		VRF        string
		Generation uint64
		Received   time.Time
	}
	for _, tt := range []struct {
		name     string
		m        *mirror
		swp1     place
		swp2     netmodel.PortMode
		problems int
	}{
		{"as before", stored(t, 11, &c).withVRFs(t, vrfIntent("Vrf100009", 3, "swp1")), place{netmodel.ModeVRF, "Vrf100009", 3, early}, netmodel.ModeDisabled, 0},
		{"a port more", stored(t, 11, &c).withVRFs(t, vrfIntent("Vrf100009", 4, "swp1", "swp2")), place{netmodel.ModeVRF, "Vrf100009", 4, now}, netmodel.ModeVRF, 0},
		{"the network is gone", deleted, place{Mode: netmodel.ModeDisabled, Received: now}, netmodel.ModeDisabled, 0},
		{"another VRF", stored(t, 11, &c).withVRFs(t, vrfIntent("Vrf100010", 9, "swp1")), place{netmodel.ModeVRF, "Vrf100010", 9, now}, netmodel.ModeDisabled, 0},
		{"two VRFs claim it", stored(t, 11, &c).withVRFs(t, vrfIntent("Vrf100010", 9, "swp1"), vrfIntent("Vrf100009", 3, "swp1")), place{netmodel.ModeVRF, "Vrf100009", 3, early}, netmodel.ModeDisabled, 0},
		{"unreadable", unreadable, place{netmodel.ModeVRF, "Vrf100009", 3, early}, netmodel.ModeDisabled, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := judge(leaf, was, tt.m, false, now)
			p := v.last.intent.Ports["swp1"]
			if diff := cmp.Diff(tt.swp1, place{p.Mode, p.VRF, p.Generation, v.last.received["swp1"]}); diff != "" {
				t.Error(diff)
			}
			if mode := v.last.intent.Ports["swp2"].Mode; mode != tt.swp2 {
				t.Errorf("swp2 is %q, want %q", mode, tt.swp2)
			}
			if len(v.problems) != tt.problems {
				t.Errorf("problems %v, want %d", v.problems, tt.problems)
			}
		})
	}
}

// TestDiskKeepsExternalPorts: a border that boots without the store has its outside.
func TestDiskKeepsExternalPorts(t *testing.T) {
	c := borderConfig()
	is := judge(leaf, last{}, stored(t, 10, &c).withVRFs(t, vrfIntent("Vrf100009", 3, "swp1", "swp2")), false, time.Now().UTC().Round(0)).last
	dir := t.TempDir()
	if err := save(dir, is); err != nil {
		t.Fatal(err)
	}
	got, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(is, got, cmp.AllowUnexported(last{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}
