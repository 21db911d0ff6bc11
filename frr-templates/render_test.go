package frrtemplates

import (
	"flag"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	border := leaf
	border.Hostname, border.Role, border.MachinePorts, border.ExternalPorts = "border1", netmodel.RoleBorder, []string{"swp4"}, []string{"swp2", "swp1", "swp3"}
	exports := []netip.Prefix{netip.MustParsePrefix("fd00:9::/64"), netip.MustParsePrefix("10.9.0.0/24")}
	defaults := []netmodel.Grant{{Prefix: netip.MustParsePrefix("::/0")}, {Prefix: netip.MustParsePrefix("0.0.0.0/0")}}
	border.VRFs = []VRF{
		{Name: "Vrf100009", VNI: 100009, Outside: []Outside{
			{Port: "swp2", ASN: 64497, MaximumPrefix: 10, Imports: defaults, Exports: exports},
			{Port: "swp1", ASN: 64496, MaximumPrefix: 1000, Imports: append([]netmodel.Grant{
				{Prefix: netip.MustParsePrefix("10.0.0.0/8"), MaxLength: 32}, {Prefix: netip.MustParsePrefix("2001:db8:5::/48"), MaxLength: 128},
			}, defaults...), Exports: exports},
		}, Neighbours: []Neighbour{{Port: "swp4", ASN: 4201000004, MaximumPrefix: 1, Grants: []netmodel.Grant{{Prefix: netip.MustParsePrefix("10.9.0.4/32")}}}}},
		{Name: "Vrf100008", VNI: 100008, Outside: []Outside{{
			Port: "swp3", ASN: 4199999999, MaximumPrefix: 1000, Imports: defaults[1:], Exports: []netip.Prefix{netip.MustParsePrefix("10.8.0.0/24")},
		}}},
	}
	return map[string]Input{
		"leaf":         leaf,
		"border":       border,
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

// TestStrictBFD: where FRR holds sessions back for BFD, only switches have it with each other. Nothing else differs.
func TestStrictBFD(t *testing.T) {
	for name, in := range inputs() {
		usual, err := Render(in)
		if err != nil {
			t.Fatal(err)
		}
		in.StrictBFD = true
		strict, err := Render(in)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for line := range strings.Lines(usual) {
			if !strings.HasPrefix(line, " neighbor MACHINE bfd") && !strings.HasPrefix(line, " neighbor OUTSIDE bfd") {
				want = append(want, line)
			}
		}
		if diff := cmp.Diff(strings.Join(want, ""), strict); diff != "" {
			t.Errorf("%s: -want +rendered:\n%s", name, diff)
		}
	}
}

// TestOrderDoesNotMatter: the same switch gives the same bytes, in whatever order its parts are named.
func TestOrderDoesNotMatter(t *testing.T) {
	for _, name := range []string{"leaf-tenants", "border"} {
		t.Run(name, func(t *testing.T) { orderDoesNotMatter(t, inputs()[name]) })
	}
}

func orderDoesNotMatter(t *testing.T, in Input) {
	want, err := Render(in)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		got, err := Render(shuffled(in, rand.New(rand.NewPCG(seed, 0))))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got with seed %d:\n%s", seed, diff)
		}
	}
}

func shuffled(in Input, r *rand.Rand) Input {
	in.Uplinks, in.MachinePorts, in.ExternalPorts, in.VRFs = mix(r, in.Uplinks), mix(r, in.MachinePorts), mix(r, in.ExternalPorts), mix(r, in.VRFs)
	for i := range in.VRFs {
		in.VRFs[i].Neighbours = mix(r, in.VRFs[i].Neighbours)
		for j := range in.VRFs[i].Neighbours {
			in.VRFs[i].Neighbours[j].Grants = mix(r, in.VRFs[i].Neighbours[j].Grants)
		}
		in.VRFs[i].Outside = mix(r, in.VRFs[i].Outside)
		for j, o := range in.VRFs[i].Outside {
			in.VRFs[i].Outside[j].Imports, in.VRFs[i].Outside[j].Exports = mix(r, o.Imports), mix(r, o.Exports)
		}
	}
	return in
}

func mix[T any](r *rand.Rand, s []T) []T {
	out := slices.Clone(s)
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// TestRenderRefuses what FRR would refuse, or would take for something else.
func TestRenderRefuses(t *testing.T) {
	tests := map[string]struct {
		spoil func(*Input)
		says  string
	}{
		"a role without template":  {func(in *Input) { in.Role = "router" }, `role "router"`},
		"a second line in a name":  {func(in *Input) { in.Hostname = "leaf1\nno router bgp" }, "hostname"},
		"a port of two words":      {func(in *Input) { in.Uplinks = append(in.Uplinks, "swp1 shutdown") }, "not one word"},
		"a port twice":             {func(in *Input) { in.MachinePorts = append(in.MachinePorts, in.Uplinks[0]) }, "named twice"},
		"an IPv6 router ID":        {func(in *Input) { in.RouterID = netip.MustParseAddr("::1") }, "router ID"},
		"no ASN":                   {func(in *Input) { in.ASN = 0 }, "ASN is 0"},
		"a VNI of 25 bits":         {func(in *Input) { in.VRFs[0].VNI = 1 << 24 }, "out of range"},
		"a machine without ASN":    {func(in *Input) { in.VRFs[0].Neighbours[0].ASN = 0 }, "ASN of the machine"},
		"no maximum-prefix":        {func(in *Input) { in.VRFs[0].Neighbours[0].MaximumPrefix = 0 }, "maximum-prefix 0"},
		"a machine on an uplink":   {func(in *Input) { in.VRFs[0].Neighbours[0].Port = "swp9" }, "not a machine port"},
		"a port in two VRFs":       {func(in *Input) { in.VRFs[0].Neighbours[0].Port = "swp1" }, "is in VRFs"},
		"a length beyond the bits": {func(in *Input) { in.VRFs[0].Neighbours[0].Grants[0].MaxLength = 33 }, "is no prefix"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in := inputs()["leaf-tenants"]
			test.spoil(&in)
			if text, err := Render(in); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error is %v, text is\n%s", err, text)
			}
		})
	}
}

// TestRenderRefusesOutside is the same for sessions to the outside.
func TestRenderRefusesOutside(t *testing.T) {
	tests := map[string]struct {
		spoil func(*Input)
		says  string
	}{
		"an external port of a leaf":    {func(in *Input) { in.Role = netmodel.RoleLeaf }, "only a border"},
		"the outside on an uplink":      {func(in *Input) { in.VRFs[0].Outside[0].Port = "swp9" }, "not an external port"},
		"the outside on a machine port": {func(in *Input) { in.VRFs[1].Outside[0].Port = "swp4" }, "is in VRFs"},
		"the outside without ASN":       {func(in *Input) { in.VRFs[0].Outside[0].ASN = 0 }, "ASN of the outside"},
		"no maximum-prefix":             {func(in *Input) { in.VRFs[0].Outside[0].MaximumPrefix = 0 }, "maximum-prefix 0"},
		"a destination beyond the bits": {func(in *Input) { in.VRFs[0].Outside[0].Imports[0].MaxLength = 129 }, "is no prefix"},
		"an export that is none":        {func(in *Input) { in.VRFs[0].Outside[0].Exports[0] = netip.Prefix{} }, "exported prefix"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in := inputs()["border"]
			test.spoil(&in)
			if text, err := Render(in); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error is %v, text is\n%s", err, text)
			}
		})
	}
}
