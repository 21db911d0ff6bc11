package frr

import (
	"maps"
	"testing"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

func TestParseTunnelSVIs(t *testing.T) {
	const l3, l2, lost = `{"vni":104001,"type":"L3","sviIntf":"Vlan1000","state":"Up"}`, `{"vni":20,"type":"L2","sviIntf":"Vlan20"}`, `{"vni":104002,"type":"L3","sviIntf":"None","state":"Down"}`
	want := map[netmodel.VNI]string{104001: "Vlan1000", 104002: ""}
	for _, text := range []string{"[" + l3 + "," + l2 + "," + lost + "]\n", l3 + "\n" + l2 + "\n" + lost} {
		if got, err := parseTunnelSVIs(text); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "[]", "{}\n"} {
		if got, err := parseTunnelSVIs(text); err != nil || len(got) > 0 {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"% Unknown command", `[{"vni":`, `"x"`} {
		if _, err := parseTunnelSVIs(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func FuzzParseTunnelSVIs(f *testing.F) {
	f.Add(`[{"vni":104001,"type":"L3","sviIntf":"Vlan1000"}]`)
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := parseTunnelSVIs(text); err != nil && got != nil {
			t.Errorf("both %v and %v", got, err)
		}
	})
}
