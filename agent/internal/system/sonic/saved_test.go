package sonic

import (
	"encoding/json"
	"flag"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// leafIntent is a leaf with an uplink and three machines: one in provisioning, two with tenants.
func leafIntent() plan.Intent {
	return plan.Intent{
		Config: netmodel.SwitchConfig{
			Switch: "leaf1", Role: netmodel.RoleLeaf, Loopback: netip.MustParseAddr("10.255.0.11"), ASN: 4200000011,
			Ports: []netmodel.SwitchPort{
				{Name: "Ethernet0", Role: netmodel.PortMachine}, {Name: "Ethernet4", Role: netmodel.PortMachine},
				{Name: "Ethernet8", Role: netmodel.PortMachine}, {Name: "Ethernet12", Role: netmodel.PortMachine}, {Name: "Ethernet16", Role: netmodel.PortUplink},
			},
			Provisioning: netmodel.Provisioning{VLAN: 20, Addresses: []netip.Prefix{netip.MustParsePrefix("10.20.1.1/24"), netip.MustParsePrefix("fd00:20:1::1/64")}},
		},
		Ports: map[string]netmodel.PortIntent{
			"Ethernet0":  {Mode: netmodel.ModeProvisioning},
			"Ethernet4":  {Mode: netmodel.ModeVRF, VRF: "Vrf104001", VNI: 104001, PeerASN: 4201000001},
			"Ethernet8":  {Mode: netmodel.ModeVRF, VRF: "VrfBlue", VNI: 104002, PeerASN: 4201000002},
			"Ethernet12": {Mode: netmodel.ModeDisabled},
		},
	}
}

// desired is the kernel of an intent on SONiC.
func desired(t testing.TB, intent plan.Intent) plan.Kernel {
	t.Helper()
	facts := plan.Facts{Ports: map[string]plan.PortFacts{}, Capabilities: Capabilities, Ranges: rangesBeside(nil), BridgeMAC: plan.MAC{2, 0, 0, 0, 0, 1}}
	for _, p := range intent.Config.Ports {
		facts.Ports[p.Name] = plan.PortFacts{}
	}
	state, _, problems, err := plan.Desired(intent, facts)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	return state.Kernel
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
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
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// What is rendered is what SONiC's daemons survive, row by row in the order of their keys, and one after the other.
func TestRenderedRows(t *testing.T) {
	r := render(desired(t, leafIntent()), "", "")
	var text strings.Builder
	for _, k := range slices.SortedFunc(maps.Keys(r), compareKeys) {
		if err := validate(k, r[k]); err != nil {
			t.Error(err)
		}
		text.WriteString(k.String() + " " + r[k].String() + "\n")
	}
	golden(t, "leaf.rows", text.String())
}

// config_db.json after each step of a leaf's life; what is not ours stays as the operator wrote it.
func TestSavedConfiguration(t *testing.T) {
	raw, err := os.ReadFile("testdata/config_db.json")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config_db.json")
	if err := os.WriteFile(file, raw, 0o640); err != nil {
		t.Fatal(err)
	}
	s := &System{configFile: file}
	released := leafIntent()
	for port := range released.Ports {
		released.Ports[port] = netmodel.PortIntent{Mode: netmodel.ModeProvisioning}
	}
	for name, intent := range map[string]plan.Intent{"leaf.config_db.json": leafIntent(), "released.config_db.json": released} {
		k := desired(t, intent)
		if err := s.save(t.Context(), k); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, string(text))
		found, _, err := readSaved(file)
		if err != nil {
			t.Fatal(err)
		}
		if lacks := found.Lacks(k); len(lacks) > 0 {
			t.Errorf("%s lacks still: %q", name, lacks)
		}
		foreignStays(t, raw, text)
		if err := os.WriteFile(file, raw, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
}

// foreignStays compares the rows of others as text.
func foreignStays(t *testing.T, before, after []byte) {
	t.Helper()
	for _, table := range []string{"ACL_TABLE", "DEVICE_METADATA", "LOOPBACK_INTERFACE", "NTP_SERVER", "odd \"table\""} {
		b, err := parseObject(before)
		if err != nil {
			t.Fatal(err)
		}
		a, err := parseObject(after)
		if err != nil {
			t.Fatal(err)
		}
		was, _ := b.get(table)
		if is, ok := a.get(table); !ok || is != was {
			t.Errorf("table %s was\n%s\nis\n%s", table, was, is)
		}
	}
	for _, row := range []string{`"Vlan100": {"vlanid":  "100", "dhcp_servers": ["192.0.2.1",
            "192.0.2.2"]}`, `"VrfRed": {}`, `"Vlan100|Ethernet20": { "tagging_mode": "tagged" }`} {
		if !strings.Contains(string(after), row) {
			t.Errorf("this row of another's is not as it was: %s", row)
		}
	}
}

// A file that cannot be read is unknown, and is not written anew.
func TestSavedConfigurationThatIsDamaged(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `{"PORT": []}`, `{"PORT": {"Ethernet0": "x"}}`, `{} {}`} {
		file := filepath.Join(t.TempDir(), "config_db.json")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		s := &System{configFile: file}
		if err := s.save(t.Context(), desired(t, leafIntent())); err == nil {
			t.Errorf("%q was saved over", text)
		}
		if after, err := os.ReadFile(file); err != nil || string(after) != text {
			t.Errorf("%q became %q, %v", text, after, err)
		}
	}
	missing := &System{configFile: filepath.Join(t.TempDir(), "config_db.json")}
	if err := missing.save(t.Context(), desired(t, leafIntent())); err == nil {
		t.Error("a configuration without ports was made from nothing")
	}
}

func FuzzSaved(f *testing.F) {
	raw, err := os.ReadFile("testdata/config_db.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"VLAN":{},"PORT":{"Ethernet0":{"lanes":"1,2"}},"a":"\"}"}`))
	k := desired(f, leafIntent())
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, o, err := parseSaved(raw)
		if err != nil {
			return
		}
		if strings.TrimSpace(string(raw)) != o.String() {
			t.Errorf("unchanged, %q is %q", raw, o.String())
		}
		edits := saved{r}.edits(k)
		text, err := rewrite(o, edits)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid([]byte(text)) {
			t.Fatalf("not JSON: %s", text)
		}
		after, _, err := parseSaved([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if again := (saved{after}).edits(k); len(again) > 0 {
			t.Errorf("a second time has work: %v\n%s", again, text)
		}
	})
}
