package frrtemplates

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// inputs are the switches of the goldens, by the golden's name.
func inputs() map[string]Input {
	leaf := Input{
		Hostname: "leaf1", Role: netmodel.RoleLeaf, ASN: 4200000001, RouterID: netip.MustParseAddr("10.0.0.1"),
		Uplinks: []string{"swp10", "swp9"}, MachinePorts: []string{"swp1", "swp2", "swp3", "swp4"},
	}
	tenants := leaf
	tenants.VRFs = []VRF{
		{Name: "Vrf100002", VNI: 100002, Neighbours: []Neighbour{{
			Port: "swp2", ASN: 4201000002, MaximumPrefix: 1,
			Grants: []netmodel.Grant{{Prefix: netip.MustParsePrefix("10.2.0.1/32")}},
		}}},
		{Name: "Vrf100001", VNI: 100001, Neighbours: []Neighbour{
			{
				Port: "swp3", ASN: 4201000003, MaximumPrefix: 24,
				Grants: []netmodel.Grant{
					{Prefix: netip.MustParsePrefix("fd00:1::3/128")},
					{Prefix: netip.MustParsePrefix("10.1.0.3/32")},
					{Prefix: netip.MustParsePrefix("10.1.128.0/18"), MaxLength: 24},
					{Prefix: netip.MustParsePrefix("fd00:1:8000::/48"), MaxLength: 64},
				},
			},
			{Port: "swp1", ASN: 4201000001, MaximumPrefix: 2, Grants: []netmodel.Grant{
				{Prefix: netip.MustParsePrefix("10.1.0.1/32")}, {Prefix: netip.MustParsePrefix("fd00:1::1/128")},
			}},
		}},
	}
	return map[string]Input{
		"leaf":         leaf,
		"leaf-tenants": tenants,
		"spine": {
			Hostname: "spine1", Role: netmodel.RoleSpine, ASN: 4200999999, RouterID: netip.MustParseAddr("10.0.0.101"),
			Uplinks: []string{"swp1", "swp2", "swp3", "swp4"},
		},
	}
}

func TestGoldens(t *testing.T) {
	for name, in := range inputs() {
		t.Run(name, func(t *testing.T) {
			got, err := Render(in)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".conf")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-%s +rendered:\n%s", file, diff)
			}
		})
	}
}
