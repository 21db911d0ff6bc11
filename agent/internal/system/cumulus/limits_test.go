package cumulus

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/agent/internal/system/cumulus/interfaces"
)

func files(texts map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range texts {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func TestLimits(t *testing.T) {
	for name, tt := range map[string]struct {
		switchd     string
		taken       []uint32
		first, last uint16
		vrfs        int
		table       uint32
		fails       string
	}{
		"as it comes":           {"# resv_vlan_range = 3600-3999\n", nil, 3000, 3999, 255, 1001, ""},
		"another range":         {"resv_vlan_range=3500-3999\n", nil, 3500, 3999, 255, 1001, ""},
		"mgmt has a VRF":        {"", []uint32{1001, 99}, 3000, 3999, 254, 1002, ""},
		"a range that is none":  {"resv_vlan_range = 3999-3500\n", nil, 0, 0, 0, 0, "3999-3500"},
		"a range that is words": {"resv_vlan_range = all\n", nil, 0, 0, 0, 0, `"all"`},
	} {
		t.Run(name, func(t *testing.T) {
			c, r, err := limits(files(map[string]string{switchdFile: tt.switchd}), tt.taken)
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil || c.FirstReservedVLAN != tt.first || c.LastReservedVLAN != tt.last || c.MaxVRFs != tt.vrfs || r.FirstTable != tt.table {
				t.Errorf("%+v %+v %v", c, r, err)
			}
		})
	}
}

// NVUE stands in the way while its daemon is enabled and it does not leave both files alone.
func TestNVUE(t *testing.T) {
	const enabled = "etc/systemd/system/multi-user.target.wants/nvued.service"
	ignoring := func(names ...string) string {
		text := "- header:\n    model: vx\n- set:\n    system:\n      hostname: leaf01\n      config:\n        apply:\n          ignore:\n"
		for _, n := range names {
			text += "            " + n + ": {}\n"
		}
		return text
	}
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"not there":             {nil, ""},
		"disabled":              {map[string]string{nvueStartup: ignoring()}, ""},
		"enabled":               {map[string]string{enabled: "", nvueStartup: "- set: {}\n"}, "ignore /etc/network/interfaces`, `nv set system config apply ignore /etc/frr/frr.conf"},
		"enabled, no startup":   {map[string]string{enabled: ""}, "ignore /etc/network/interfaces"},
		"one file ignored":      {map[string]string{enabled: "", nvueStartup: ignoring("/etc/network/interfaces")}, "overwrite what the agent writes: `nv set system config apply ignore /etc/frr/frr.conf`"},
		"both files ignored":    {map[string]string{enabled: "", nvueStartup: ignoring("/etc/network/interfaces", "/etc/frr/frr.conf", "/etc/ptp4l.conf")}, ""},
		"a startup that is odd": {map[string]string{enabled: "", nvueStartup: "set: ["}, "read what NVUE ignores"},
	} {
		t.Run(name, func(t *testing.T) {
			why, err := nvue(files(tt.files))
			if err != nil {
				why = err.Error()
			}
			if (why == "") != (tt.want == "") || !strings.Contains(why, tt.want) {
				t.Errorf("got %q, want %q", why, tt.want)
			}
		})
	}
}

func TestSingleDevice(t *testing.T) {
	for text, want := range map[string]string{
		"iface vni48\n  bridge-vlan-vni-map 10=10010 20=10020\n": "VXLAN device vni48 (f:2) carries all VNIs",
		"iface vni10\n  vxlan-id 10010\n":                        "",
	} {
		file, err := interfaces.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if why := singleDevice(nil, record{path: "f", file: file}); (why == "") != (want == "") || !strings.HasPrefix(why, want) {
			t.Errorf("%q: %q", text, why)
		}
	}
	if why := singleDevice([]string{"vxlan48"}, record{}); !strings.Contains(why, "VXLAN device vxlan48 carries") {
		t.Error(why)
	}
}

func TestPortNames(t *testing.T) {
	for name, want := range map[string]bool{"swp1": true, "swp32": true, "swp1s0": true, "swp3s3": true, "swp1.100": false, "eth0": false, "swp": false, "peerlink": false, "swp1s": false} {
		if portName.MatchString(name) != want {
			t.Errorf("%s is a port: %v", name, !want)
		}
	}
}

// What ifquery 3.0.0 prints, and what of it is a fault.
func TestFailures(t *testing.T) {
	const said = `auto bridge
iface bridge                                                        [fail]
	bridge-ports swp1 swp2 swp3                                 [pass]
	bridge-stp yes                                              [fail]
	post-up bridge link set dev swp1 isolated on                    []

auto swp1
iface swp1                                                          [pass]
	mtu 9216                                                    [pass]

auto swp9
iface swp9                                                          [fail]
`
	got := failures([]byte(said))
	want := map[string][]string{"bridge": {"bridge-stp yes"}, "swp9": {"is not there"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
