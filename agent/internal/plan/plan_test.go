package plan_test

import (
	"context"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/memory"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

var update = flag.Bool("update", false, "rewrite the goldens")

func leafIntent() plan.Intent {
	intent := plan.Intent{
		Config: netmodel.SwitchConfig{
			Switch: "leaf1", Role: netmodel.RoleLeaf, Loopback: netip.MustParseAddr("10.255.0.11"), ASN: 4200000011,
			Provisioning: netmodel.Provisioning{VLAN: 20, Addresses: []netip.Prefix{netip.MustParsePrefix("10.20.1.1/24"), netip.MustParsePrefix("fd00:20:1::1/64")}},
		},
		Ports: map[string]netmodel.PortIntent{},
	}
	for _, p := range []string{"swp49", "swp50"} {
		intent.Config.Ports = append(intent.Config.Ports, netmodel.SwitchPort{Name: p, Role: netmodel.PortUplink})
	}
	for _, p := range []string{"swp1", "swp2", "swp3", "swp4"} {
		intent.Config.Ports = append(intent.Config.Ports, netmodel.SwitchPort{Name: p, Role: netmodel.PortMachine})
		intent.Ports[p] = netmodel.PortIntent{Port: p, Mode: netmodel.ModeProvisioning}
	}
	return intent
}

func leafFacts() plan.Facts {
	f := plan.Facts{Hostname: "leaf1", Ports: map[string]plan.PortFacts{}}
	for _, p := range []string{"swp1", "swp2", "swp3", "swp4", "swp49", "swp50"} {
		f.Ports[p] = plan.PortFacts{}
	}
	return f
}

func tenantPort(port string, vni netmodel.VNI, host byte) netmodel.PortIntent {
	return netmodel.PortIntent{
		Port: port, Mode: netmodel.ModeVRF, VRF: netmodel.VRFName(vni), VNI: vni, PeerASN: 4201000000 + netmodel.ASN(host),
		Grants: []netmodel.Grant{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, host}), 32)}},
	}
}

func with(intent plan.Intent, ports ...netmodel.PortIntent) plan.Intent {
	for _, p := range ports {
		intent.Ports[p.Port] = p
	}
	return intent
}

// transcript is what an operator reads in a dry run, but of FRR's lines only for whom they are: what they say is the templates'
// business.
func transcript(ops []plan.Op) string {
	var lines []string
	for _, op := range ops {
		configure, ok := op.(plan.ApplyFRR)
		if !ok {
			lines = append(lines, op.String())
			continue
		}
		for _, c := range configure.Changes {
			lines = append(lines, frrLine(c))
		}
	}
	return strings.Join(slices.Compact(lines), "\n") + "\n"
}

func frrLine(c frr.Change) string {
	line := "frr " + [...]string{"neighbour removal", "addition", "filter removal", "instance removal", "vrf removal"}[c.Stage]
	if c.VRF != "" {
		line += " in " + c.VRF
	}
	if c.Port != "" {
		line += " for " + c.Port
	}
	return line
}

// converged returns a leaf that is what an intent asks.
func converged(t *testing.T, intent plan.Intent) (*memory.Switch, *plan.Assignments) {
	t.Helper()
	s := memory.New("leaf1", "swp1", "swp2", "swp3", "swp4", "swp49", "swp50")
	stored := &plan.Assignments{}
	pass(t, s, intent, stored, -1)
	return s, stored
}

func TestDiff(t *testing.T) {
	a, b := netmodel.VNI(104001), netmodel.VNI(104002)
	spine := plan.Intent{Config: netmodel.SwitchConfig{
		Switch: "spine1", Role: netmodel.RoleSpine, Loopback: netip.MustParseAddr("10.255.0.1"), ASN: 4200000001,
		Ports: []netmodel.SwitchPort{{Name: "swp1", Role: netmodel.PortUplink}, {Name: "swp2", Role: netmodel.PortUplink}},
	}}
	tests := map[string]struct {
		from  *plan.Intent // nil: a switch as it comes up
		alter func(*plan.State)
		to    plan.Intent
	}{
		"fresh_leaf":               {to: leafIntent()},
		"fresh_spine":              {to: spine},
		"provisioning_to_vrf":      {from: ptr(leafIntent()), to: with(leafIntent(), tenantPort("swp1", a, 1))},
		"vrf_to_vrf":               {from: ptr(with(leafIntent(), tenantPort("swp1", a, 1))), to: with(leafIntent(), tenantPort("swp1", b, 1))},
		"vrf_to_provisioning_last": {from: ptr(with(leafIntent(), tenantPort("swp1", a, 1))), to: leafIntent()},
		"two_ports_one_vrf":        {from: ptr(with(leafIntent(), tenantPort("swp1", a, 1))), to: with(leafIntent(), tenantPort("swp1", a, 1), tenantPort("swp2", a, 2))},
		"drift": {from: ptr(with(leafIntent(), tenantPort("swp1", a, 1))), to: with(leafIntent(), tenantPort("swp1", a, 1)), alter: func(st *plan.State) {
			p := st.Kernel.Ports["swp1"]
			p.MTU, p.Up = 1500, false
			st.Kernel.Ports["swp1"] = p
			p = st.Kernel.Ports["swp2"]
			p.Isolated, p.VLANs = false, []plan.Member{{VLAN: 1, PVID: true, Untagged: true}}
			st.Kernel.Ports["swp2"] = p
			st.Kernel.Bridge.MAC = plan.MAC{2, 2, 2, 2, 2, 2}
			st.Kernel.Rules.IPv6 = plan.FamilyRules{L3mdev: true, LocalFirst: true}
			st.Kernel.Sysctls["net/ipv6/conf/swp1/accept_dad"] = "1"
		}},
		"vrf_deleted_by_hand": {from: ptr(with(leafIntent(), tenantPort("swp1", a, 1))), to: with(leafIntent(), tenantPort("swp1", a, 1)), alter: func(st *plan.State) {
			delete(st.Kernel.VRFs, "Vrf104001")
			svi := st.Kernel.SVIs[1000]
			svi.VRF = ""
			st.Kernel.SVIs[1000] = svi
			p := st.Kernel.Ports["swp1"]
			p.Master = ""
			st.Kernel.Ports["swp1"] = p
		}},
		"missing_port": {from: ptr(leafIntent()), to: with(leafIntent(), tenantPort("swp1", a, 1), tenantPort("swp2", b, 2)), alter: func(st *plan.State) {
			delete(st.Kernel.Ports, "swp2")
		}},
		"port_no_longer_registered": {from: ptr(with(leafIntent(), tenantPort("swp4", a, 1))), to: func() plan.Intent {
			i := leafIntent()
			i.Config.Ports = i.Config.Ports[:len(i.Config.Ports)-1]
			delete(i.Ports, "swp4")
			return i
		}()},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, stored := memory.New("leaf1", "swp1", "swp2", "swp3", "swp4", "swp49", "swp50"), &plan.Assignments{}
			if tt.from != nil {
				s, stored = converged(t, *tt.from)
			}
			if tt.alter != nil {
				s.Alter("the test", tt.alter)
				if st, _ := s.Observe(context.Background()); len(st.Kernel.Ports) == 5 {
					s.Unplug("swp2")
				}
			}
			golden(t, name, transcript(pass(t, s, tt.to, stored, -1).ops))
			if rest := pass(t, s, tt.to, stored, -1); len(rest.ops) > 0 {
				t.Errorf("a second pass has work:\n%s", transcript(rest.ops))
			}
		})
	}
}

func ptr(i plan.Intent) *plan.Intent { return &i }

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
