package plan_test

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/memory"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

var borderPorts = []string{"swp1", "swp2", "swp49"}

// borderIntent is a border without a network for its two external ports.
func borderIntent() plan.Intent {
	intent := plan.Intent{
		Config: netmodel.SwitchConfig{
			Switch: "border1", Role: netmodel.RoleBorder, Loopback: netip.MustParseAddr("10.255.2.1"), ASN: 4200000021,
			Ports: []netmodel.SwitchPort{
				{Name: "swp1", Role: netmodel.PortExternal}, {Name: "swp2", Role: netmodel.PortExternal}, {Name: "swp49", Role: netmodel.PortUplink},
			},
		},
		Ports: map[string]netmodel.PortIntent{},
	}
	for _, p := range []string{"swp1", "swp2"} {
		intent.Ports[p] = netmodel.PortIntent{Port: p, Mode: netmodel.ModeDisabled}
	}
	return intent
}

func externalPorts(vni netmodel.VNI, ports ...string) []netmodel.PortIntent {
	v := netmodel.VRFIntent{
		VRF: netmodel.VRFName(vni), VNI: vni, Generation: 1,
		Imports: []netmodel.Grant{{Prefix: netip.MustParsePrefix("0.0.0.0/0")}, {Prefix: netip.MustParsePrefix("::/0")}},
		Exports: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/24"), netip.MustParsePrefix("fd09::/64")},
	}
	for _, p := range ports {
		v.Peers = append(v.Peers, netmodel.VRFPeer{Port: p, ASN: 64496, MaximumPrefix: 20})
	}
	return v.Ports()
}

// TestBorderDiff: an external port comes and goes by the same order as a machine's.
func TestBorderDiff(t *testing.T) {
	idle, one := borderIntent(), with(borderIntent(), externalPorts(104009, "swp1")...)
	for name, tt := range map[string]struct{ from, to plan.Intent }{
		"border_external":  {idle, one},
		"border_gone":      {one, idle},
		"border_two_ports": {one, with(borderIntent(), externalPorts(104009, "swp1", "swp2")...)},
	} {
		t.Run(name, func(t *testing.T) {
			s, stored := memory.New("border1", borderPorts...), &plan.Assignments{}
			pass(t, s, tt.from, stored, -1)
			golden(t, name, transcript(pass(t, s, tt.to, stored, -1).ops))
			if rest := pass(t, s, tt.to, stored, -1); len(rest.ops) > 0 {
				t.Errorf("a second pass has work:\n%s", transcript(rest.ops))
			}
		})
	}
}

// The rules of a border, as they stand in docs/self-protection.md.
func TestBorderProtection(t *testing.T) {
	facts := plan.Facts{Hostname: "border1", Ports: map[string]plan.PortFacts{}, Protect: plan.Protect{On: true}}
	for _, p := range borderPorts {
		facts.Ports[p] = plan.PortFacts{}
	}
	want, _, problems, err := plan.Desired(with(borderIntent(), externalPorts(104009, "swp1")...), facts)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(want.Kernel.Protection)) {
		if strings.HasPrefix(name, "cpu-") || name == "machine" {
			continue // as on a leaf
		}
		c := want.Kernel.Protection[name]
		text.WriteString("chain " + name + strings.TrimRight(" "+string(c.Hook)+" "+c.Device, " ") + "\n")
		for _, r := range c.Rules {
			text.WriteString("    " + r + "\n")
		}
	}
	golden(t, "border_protection", text.String())
}

// A port has the intent that its role asks for, or is down and says why.
func TestIntentsOfTheWrongRole(t *testing.T) {
	facts := leafFacts()
	intent := with(leafIntent(), externalPorts(104009, "swp1")...)
	intent.Config.Ports = append(intent.Config.Ports, netmodel.SwitchPort{Name: "swp5", Role: netmodel.PortExternal})
	intent.Config.Role = netmodel.RoleBorder
	intent.Ports["swp5"] = tenantPort("swp5", 104001, 1)
	facts.Ports["swp5"] = plan.PortFacts{}
	want, _, problems, err := plan.Desired(intent, facts)
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range []string{"swp1", "swp5"} {
		said := slices.ContainsFunc(problems, func(p plan.Problem) bool { return p.Port == port })
		if have := want.Kernel.Ports[port]; have.Up || have.Master != "" || !said {
			t.Errorf("%s is wanted %+v; problems %v", port, have, problems)
		}
	}
}
