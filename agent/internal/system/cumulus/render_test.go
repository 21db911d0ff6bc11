package cumulus

import (
	"flag"
	"net/netip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/cumulus/interfaces"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fabricIntent is a leaf with broken out ports, two tenants, and a port of each kind.
func fabricIntent() plan.Intent {
	in := plan.Intent{
		Config: netmodel.SwitchConfig{
			Switch: "leaf01", Role: netmodel.RoleLeaf, Loopback: netip.MustParseAddr("10.255.0.11"), ASN: 4200000011,
			Ports:        []netmodel.SwitchPort{{Name: "swp51", Role: netmodel.PortUplink}, {Name: "swp52", Role: netmodel.PortUplink}},
			Provisioning: netmodel.Provisioning{VLAN: 4000, Addresses: []netip.Prefix{netip.MustParsePrefix("10.20.1.1/24"), netip.MustParsePrefix("fd00:20:1::1/64")}},
		},
		Ports: map[string]netmodel.PortIntent{},
	}
	for i, name := range []string{"swp1s0", "swp1s1", "swp2", "swp3", "swp10"} {
		in.Config.Ports = append(in.Config.Ports, netmodel.SwitchPort{Name: name, Role: netmodel.PortMachine})
		p := netmodel.PortIntent{Port: name, Mode: netmodel.ModeProvisioning}
		if vni := []netmodel.VNI{104001, 104001, 104002, 0, 0}[i]; vni != 0 {
			p = netmodel.PortIntent{Port: name, Mode: netmodel.ModeVRF, VRF: netmodel.VRFName(vni), VNI: vni, PeerASN: 4201000000}
		}
		in.Ports[name] = p
	}
	in.Ports["swp3"] = netmodel.PortIntent{Port: "swp3", Mode: netmodel.ModeDisabled}
	return in
}

// The golden file is what an operator finds on a switch. That real ifupdown2 takes such files is proven by TestStart.
func TestRendered(t *testing.T) {
	in := fabricIntent()
	facts := plan.Facts{Hostname: "leaf01", Ports: map[string]plan.PortFacts{}}
	for _, p := range in.Config.Ports {
		facts.Ports[p.Name] = plan.PortFacts{}
	}
	var err error
	if facts.Capabilities, facts.Ranges, err = limits(files(nil), nil); err != nil {
		t.Fatal(err)
	}
	state, _, problems, err := plan.Desired(in, facts)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	file, err := interfaces.Parse(installed)
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/leaf.interfaces"
	text := file.With(stanzas(state.Kernel))
	if *update {
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("(-golden +rendered):\n%s", diff)
	}
	again, err := interfaces.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if d := again.Differs(stanzas(state.Kernel)); len(d) > 0 {
		t.Errorf("differs at once: %q", d)
	}
}
