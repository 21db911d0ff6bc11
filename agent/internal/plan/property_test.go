package plan_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/memory"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

var (
	machinePorts = []string{"swp1", "swp2", "swp3", "swp4"}
	vnis         = []netmodel.VNI{104001, 104002, 104003}
)

// drawIntent draws what the control plane may ask of a leaf, some of it wrong.
func drawIntent(t *rapid.T, label string) plan.Intent {
	intent := leafIntent()
	for _, port := range machinePorts {
		mode := rapid.SampledFrom([]netmodel.PortMode{netmodel.ModeProvisioning, netmodel.ModeVRF, netmodel.ModeVRF, netmodel.ModeDisabled}).Draw(t, label+" mode")
		vni := rapid.SampledFrom(vnis).Draw(t, label+" vni")
		p := netmodel.PortIntent{Port: port, Mode: mode}
		if mode == netmodel.ModeVRF {
			p = tenantPort(port, vni, 1)
			if rapid.IntRange(0, 9).Draw(t, label+" wrong") == 0 {
				p.VRF = "VrfOther" // another VRF with the same VNI
			}
		}
		intent.Ports[port] = p
	}
	return intent
}

// drawDrift changes a switch as operators, other programs and crashes do.
func drawDrift(t *rapid.T, s *memory.Switch) {
	port := rapid.SampledFrom(append([]string{"swp49"}, machinePorts...)).Draw(t, "drifting port")
	vni := rapid.SampledFrom(vnis).Draw(t, "drifting vni")
	drifts := map[string]func(*plan.State){
		"port": func(st *plan.State) {
			p := st.Kernel.Ports[port]
			p.Up, p.MTU = rapid.Bool().Draw(t, "up"), rapid.SampledFrom([]int{1500, 9216}).Draw(t, "mtu")
			if p.Master == plan.BridgeName {
				p.Isolated, p.VLANs = false, []plan.Member{{VLAN: 10, Untagged: true}, {VLAN: 11, PVID: true}}
			}
			st.Kernel.Ports[port] = p
		},
		"tunnel": func(st *plan.State) {
			if v, ok := st.Kernel.VNIs[vni]; ok {
				v.Local, v.Up, v.PortLearning = netip.MustParseAddr("192.0.2.9"), false, true
				st.Kernel.VNIs[vni] = v
			}
		},
		"tunnel gone": func(st *plan.State) { delete(st.Kernel.VNIs, vni) },
		"svi gone":    func(st *plan.State) { delete(st.Kernel.SVIs, 1000) },
		"svi": func(st *plan.State) {
			for vlan, v := range st.Kernel.SVIs {
				v.MTU, v.MAC, v.Up = 1500, plan.MAC{2}, false
				st.Kernel.SVIs[vlan] = v
			}
		},
		"bridge mac": func(st *plan.State) {
			if st.Kernel.Bridge != nil {
				st.Kernel.Bridge.MAC = plan.MAC{2, 9}
			}
		},
		"rules":  func(st *plan.State) { st.Kernel.Rules.IPv4 = plan.FamilyRules{LocalFirst: true} },
		"routes": func(st *plan.State) { clear(st.Kernel.Unreachable) },
		"frr":    func(st *plan.State) { st.FRR = frr.Config{} },
		"file":   func(st *plan.State) { st.FRRSaved = frr.Config{} },
		"sysctl": func(st *plan.State) { st.Kernel.Sysctls["net/ipv4/conf/all/rp_filter"] = "2" },
		"rule": func(st *plan.State) {
			if _, ok := st.Kernel.Protection["port-"+port]; ok {
				st.Kernel.Protection["port-"+port] = plan.Chain{Hook: plan.HookIngress, Device: port, Rules: []string{"accept"}}
			}
		},
		"foreign chain": func(st *plan.State) {
			if st.Kernel.Protection != nil {
				st.Kernel.Protection["port-swp77"] = plan.Chain{Rules: []string{"accept"}}
			}
		},
		"nftables": func(st *plan.State) { st.Kernel.Protection = nil },
	}
	for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{
		"port", "tunnel", "tunnel gone", "svi gone", "svi", "bridge mac", "rules", "routes", "frr", "file", "sysctl", "rule", "foreign chain", "nftables",
	}), 0, 4).Draw(t, "drifts") {
		s.Alter(name, drifts[name])
	}
}

var netipValues = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

type applied struct {
	want plan.State
	ops  []plan.Op
}

// pass runs the loop once, for the first limit steps only if limit is not negative.
func pass(t rapid.TB, s *memory.Switch, intent plan.Intent, stored *plan.Assignments, limit int) applied {
	t.Helper()
	observed, err := s.Observe(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	facts, err := s.Facts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want, assigned, _, err := plan.Desired(intent, facts.Observing(observed, *stored))
	if err != nil {
		t.Fatal(err)
	}
	ops := plan.Diff(observed, want)
	if again := plan.Diff(observed, want); fmt.Sprint(ops) != fmt.Sprint(again) {
		t.Fatalf("two differences of the same states differ:\n%s\n%s", ops, again)
	}
	run := ops
	if limit >= 0 && limit < len(ops) {
		run = ops[:limit]
	}
	for _, r := range s.Apply(context.Background(), run) {
		if r.Err != nil {
			t.Fatalf("%v", r.Err)
		}
	}
	*stored = assigned
	return applied{want, ops}
}

// watchTenants fails when a port is for a moment in a master other than its old and its new one, or up in no master between two, or
// enters a VRF whose table does not end, or comes up in its new VRF with rules that are not its own.
func watchTenants(t rapid.TB, s *memory.Switch, want func() plan.State) {
	before := map[string]string{}
	st, _ := s.Observe(context.Background())
	for name, p := range st.Kernel.Ports {
		before[name] = p.Master
	}
	s.Witness(func(op plan.Op, st plan.State) {
		for name, p := range st.Kernel.Ports {
			wanted := want().Kernel.Ports[name]
			if p.Master != before[name] && p.Master != wanted.Master {
				t.Fatalf("after %q, port %s is in %q, on its way from %q to %q", op, name, p.Master, before[name], wanted.Master)
			}
			vrf, routed := st.Kernel.VRFs[p.Master]
			if !routed || p.Master != wanted.Master || p.Master == before[name] {
				continue
			}
			if rules := st.Kernel.Protection["port-"+name]; p.Up && !rules.Equal(want().Kernel.Protection["port-"+name]) {
				t.Fatalf("after %q, port %s is up in %s with the rules %v", op, name, p.Master, rules)
			}
			for _, family := range []plan.Family{plan.IPv4, plan.IPv6} {
				if !st.Kernel.Unreachable[plan.DefaultRoute{Table: vrf.Table, Family: family}] {
					t.Fatalf("after %q, port %s is in VRF %s, whose %s table does not end", op, name, p.Master, family)
				}
			}
		}
	})
}

// Whatever a leaf was, was asked and became of it, one pass leads to what is asked, killed after any step the next one does, and a
// further pass has nothing to do.
func TestConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := memory.New("leaf1", append([]string{"swp49", "swp50", "swp9"}, machinePorts...)...)
		s.Protect(plan.Protect{On: true})
		var stored plan.Assignments
		var last plan.State
		for round := range rapid.IntRange(1, 4).Draw(t, "rounds") {
			intent := drawIntent(t, fmt.Sprint("round ", round))
			if round > 0 {
				drawDrift(t, s)
			}
			observed, _ := s.Observe(context.Background())
			facts, _ := s.Facts(context.Background())
			want, _, _, err := plan.Desired(intent, facts.Observing(observed, stored))
			if err != nil {
				t.Fatal(err)
			}
			last = want
			watchTenants(t, s, func() plan.State { return last })
			kills := rapid.SliceOfN(rapid.IntRange(0, 30), 0, 2).Draw(t, "killed after")
			for _, limit := range kills {
				pass(t, s, intent, &stored, limit)
			}
			pass(t, s, intent, &stored, -1)
			s.Witness(nil)
			if rest := pass(t, s, intent, &stored, -1); len(rest.ops) > 0 {
				t.Fatalf("a second pass has work:\n%s", transcript(rest.ops))
			}
			requireAsDesired(t, s, last)
		}
	})
}

// requireAsDesired compares what the switch is with what was wanted, not trusting Diff to say so.
func requireAsDesired(t rapid.TB, s *memory.Switch, want plan.State) {
	got, _ := s.Observe(context.Background())
	for name, p := range got.Kernel.Ports {
		p.OperUp = false
		got.Kernel.Ports[name] = p
		if _, ok := want.Kernel.Ports[name]; !ok {
			delete(got.Kernel.Ports, name)
		}
	}
	for path := range got.Kernel.Sysctls {
		if _, ok := want.Kernel.Sysctls[path]; !ok {
			delete(got.Kernel.Sysctls, path)
		}
	}
	if diff := cmp.Diff(want.Kernel, got.Kernel, netipValues); diff != "" {
		t.Fatalf("the switch is not as desired (-want +got):\n%s", diff)
	}
	if !got.FRR.Equal(want.FRR) {
		t.Fatalf("FRR is not as desired:\n%s", cmp.Diff(want.FRR.String(), got.FRR.String()))
	}
}

// Numbers and bytes do not depend on the order of maps.
func TestDesiredIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		intent := drawIntent(t, "intent")
		type answer struct {
			State    plan.State
			Assigned plan.Assignments
			Problems string
		}
		var answers []answer
		for range 3 {
			want, assigned, problems, err := plan.Desired(intent, leafFacts())
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, answer{want, assigned, fmt.Sprint(problems)})
		}
		for _, a := range answers[1:] {
			if diff := cmp.Diff(answers[0], a, netipValues); diff != "" {
				t.Fatalf("the same input gave different answers:\n%s", diff)
			}
		}
	})
}
