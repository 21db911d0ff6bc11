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

const leaf = "leaf01"

func config(store string, ports ...string) netmodel.SwitchConfig {
	c := netmodel.SwitchConfig{StoreUUID: store, Switch: leaf, Role: netmodel.RoleLeaf, Loopback: netip.MustParseAddr("10.0.0.11"), ASN: netmodel.FirstSwitchASN, Generation: 1}
	for _, p := range ports {
		c.Ports = append(c.Ports, netmodel.SwitchPort{Name: p, Role: netmodel.PortMachine})
	}
	return c
}

func intentOf(port string, generation uint64, mode netmodel.PortMode) netmodel.PortIntent {
	return netmodel.PortIntent{Switch: leaf, Port: port, Generation: generation, Mode: mode}
}

func encoded[V any](t *testing.T, codec wire.Codec[V], v V) []byte {
	t.Helper()
	b, err := codec.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stored is a mirror that holds a configuration and port intents at a revision.
func stored(t *testing.T, revision int64, c *netmodel.SwitchConfig, ports ...netmodel.PortIntent) *mirror {
	t.Helper()
	m := newMirror(leaf)
	m.revision = revision
	if c != nil {
		m.put(keys.SwitchConfig(leaf), encoded(t, wire.SwitchConfigCodec, *c))
	}
	for _, p := range ports {
		m.put(keys.PortIntent(leaf, p.Port), encoded(t, wire.PortIntentCodec, p))
	}
	return m
}

func TestJudge(t *testing.T) {
	early, now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	one, two := config("store-1", "swp1", "swp2"), config("store-2", "swp1", "swp2")
	was := judge(leaf, last{}, stored(t, 10, &one, intentOf("swp1", 1, netmodel.ModeProvisioning), intentOf("swp2", 1, netmodel.ModeVRF)), false, early).last
	without2 := config("store-1", "swp1")
	elsewhere := one
	elsewhere.Switch = "leaf02"
	type generations map[string]uint64
	for _, tt := range []struct {
		name     string
		was      last
		m        *mirror
		adopt    bool
		holding  string
		want     generations
		received map[string]time.Time
		adopted  bool
	}{
		{name: "the first intent ever", m: stored(t, 3, &one, intentOf("swp1", 1, netmodel.ModeVRF)), want: generations{"swp1": 1}, received: map[string]time.Time{"swp1": now}},
		{name: "a port changed", was: was, m: stored(t, 12, &one, intentOf("swp1", 2, netmodel.ModeVRF), intentOf("swp2", 1, netmodel.ModeVRF)),
			want: generations{"swp1": 2, "swp2": 1}, received: map[string]time.Time{"swp1": now, "swp2": early}},
		{name: "a port's key is gone: its last intent stays", was: was, m: stored(t, 12, &one, intentOf("swp1", 1, netmodel.ModeProvisioning)),
			want: generations{"swp1": 1, "swp2": 1}, received: map[string]time.Time{"swp1": early, "swp2": early}},
		{name: "a port that is no longer listed goes", was: was, m: stored(t, 12, &without2, intentOf("swp1", 1, netmodel.ModeProvisioning), intentOf("swp2", 1, netmodel.ModeVRF)),
			want: generations{"swp1": 1}, received: map[string]time.Time{"swp1": early}},
		{name: "no configuration", was: was, m: stored(t, 12, nil), holding: `the store has no configuration of switch "leaf01"`, want: generations{"swp1": 1, "swp2": 1},
			received: was.received},
		{name: "no configuration cannot be adopted", was: was, m: stored(t, 12, nil), adopt: true, holding: `the store has no configuration of switch "leaf01"`,
			want: generations{"swp1": 1, "swp2": 1}, received: was.received},
		{name: "another switch's configuration", was: was, m: stored(t, 12, &elsewhere), adopt: true, holding: `the stored configuration is of switch "leaf02", this is "leaf01"`,
			want: generations{"swp1": 1, "swp2": 1}, received: was.received},
		{name: "another store", was: was, m: stored(t, 90, &two, intentOf("swp1", 7, netmodel.ModeVRF)), holding: "the store is store-2, the last intent came from store-1",
			want: generations{"swp1": 1, "swp2": 1}, received: was.received},
		{name: "an older store", was: was, m: stored(t, 9, &one, intentOf("swp1", 7, netmodel.ModeVRF)), holding: "the store is at revision 9, the last intent came from revision 10",
			want: generations{"swp1": 1, "swp2": 1}, received: was.received},
		{name: "another store, adopted", was: was, m: stored(t, 2, &two, intentOf("swp1", 1, netmodel.ModeVRF)), adopt: true, adopted: true,
			want: generations{"swp1": 1, "swp2": 1}, received: map[string]time.Time{"swp1": now, "swp2": early}},
		{name: "an older store, adopted", was: was, m: stored(t, 9, &one, intentOf("swp1", 1, netmodel.ModeVRF)), adopt: true, adopted: true,
			want: generations{"swp1": 1, "swp2": 1}, received: map[string]time.Time{"swp1": early, "swp2": early}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := judge(leaf, tt.was, tt.m, tt.adopt, now)
			got := generations{}
			for name, p := range v.last.intent.Ports {
				got[name] = p.Generation
			}
			if v.holding != tt.holding || v.adopted != tt.adopted {
				t.Errorf("holding %q, adopted %v", v.holding, v.adopted)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.received, v.last.received); diff != "" {
				t.Error("received:", diff)
			}
		})
	}
}

func TestOneBadValueIsThatPortsProblem(t *testing.T) {
	c := config("store-1", "swp1", "swp2", "swp3")
	was := judge(leaf, last{}, stored(t, 10, &c, intentOf("swp1", 1, netmodel.ModeVRF), intentOf("swp2", 1, netmodel.ModeVRF)), false, time.Now()).last
	m := stored(t, 11, &c, intentOf("swp2", 2, netmodel.ModeProvisioning))
	m.put(keys.PortIntent(leaf, "swp1"), []byte(`{"generation":"2","grants":[{"prefix":"10.0.0.0/99"}]}`))
	m.put(keys.PortIntent(leaf, "swp3"), []byte(`{"generation":"1","mode":"PORT_MODE_TELEPORT"}`))
	v := judge(leaf, was, m, false, time.Now())
	if v.holding != "" {
		t.Errorf("holding: %s", v.holding)
	}
	if v.problems["swp1"] == nil || v.problems["swp3"] == nil || v.problems["swp2"] != nil {
		t.Errorf("problems %v", v.problems)
	}
	if g1, g2 := v.last.intent.Ports["swp1"].Generation, v.last.intent.Ports["swp2"].Generation; g1 != 1 || g2 != 2 {
		t.Errorf("generations %d and %d, want the last readable one and the new one", g1, g2)
	}
	if _, ok := v.last.intent.Ports["swp3"]; ok {
		t.Error("an intent that was never readable is in force")
	}
}

func TestDiskKeepsTheIntent(t *testing.T) {
	c := config("store-1", "swp1")
	port := intentOf("swp1", 4, netmodel.ModeVRF)
	port.VRF, port.VNI, port.PeerASN = "Vrf100001", 100001, netmodel.FirstMachineASN
	port.Grants = []netmodel.Grant{{Prefix: netip.MustParsePrefix("10.1.0.5/32")}}
	is := judge(leaf, last{}, stored(t, 10, &c, port), false, time.Now().UTC().Round(0)).last
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
