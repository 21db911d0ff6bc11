package nft

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/nftables/expr"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// leafChains are those of a leaf with one port of each kind.
func leafChains(t testing.TB) map[string]plan.Chain {
	t.Helper()
	grants := []netmodel.Grant{{Prefix: netip.MustParsePrefix("10.0.0.1/32")}, {Prefix: netip.MustParsePrefix("fd00::1/128")}, {Prefix: netip.MustParsePrefix("10.64.0.0/13"), MaxLength: 24}, {Prefix: netip.MustParsePrefix("::/0")}}
	intent := plan.Intent{
		Config: netmodel.SwitchConfig{
			Switch: "leaf01", Role: netmodel.RoleLeaf, Loopback: netip.MustParseAddr("10.255.0.11"), ASN: 4200000011,
			Ports: []netmodel.SwitchPort{
				{Name: "swp1", Role: netmodel.PortMachine}, {Name: "swp2", Role: netmodel.PortMachine},
				{Name: "swp3", Role: netmodel.PortMachine}, {Name: "swp49", Role: netmodel.PortUplink},
			},
			Provisioning: netmodel.Provisioning{VLAN: 20, Addresses: []netip.Prefix{netip.MustParsePrefix("10.20.1.1/24"), netip.MustParsePrefix("fd20::1/64")}},
		},
		Ports: map[string]netmodel.PortIntent{
			"swp1": {Port: "swp1", Mode: netmodel.ModeVRF, VRF: "Vrf104001", VNI: 104001, PeerASN: 4201000001, Grants: grants},
			"swp2": {Port: "swp2", Mode: netmodel.ModeProvisioning},
			"swp3": {Port: "swp3", Mode: netmodel.ModeDisabled},
		},
	}
	facts := plan.Facts{Ports: map[string]plan.PortFacts{"swp1": {}, "swp2": {}, "swp3": {}, "swp49": {}}, Protect: plan.Protect{On: true}}
	desired, _, problems, err := plan.Desired(intent, facts)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	return desired.Kernel.Protection
}

// What is compiled reads back as it was written; otherwise the agent would write the table in every pass.
func TestRulesReadBack(t *testing.T) {
	n := 0
	for name, chain := range leafChains(t) {
		for _, rule := range chain.Rules {
			exprs, err := compile(rule)
			if err != nil {
				t.Errorf("chain %s: %v", name, err)
				continue
			}
			if got := decompile(anyOf(exprs)); got != rule {
				t.Errorf("chain %s:\n  %s\nreads back as\n  %s", name, rule, got)
			}
			n++
		}
	}
	if n < 40 {
		t.Errorf("only %d rules: the leaf's ports have no chains", n)
	}
}

// Any change of an expression shows in the text: nothing foreign passes for a rule of ours.
func TestForeignRulesShow(t *testing.T) {
	const rule = "ip6 saddr fe80::/10 tcp sport 179 tcp flags & 0x12 != 0x02 counter accept"
	for name, change := range map[string]func([]any) []any{
		"shorter mask":      func(e []any) []any { find[*expr.Bitwise](e).Mask[1] = 0x80; return e },
		"mask with a hole":  func(e []any) []any { find[*expr.Bitwise](e).Mask[4] = 1; return e },
		"another place":     func(e []any) []any { find[*expr.Payload](e).Offset = 24; return e },
		"unknown place":     func(e []any) []any { find[*expr.Payload](e).Offset = 3; return e },
		"another protocol":  func(e []any) []any { find[*expr.Cmp](e).Data[0] = ipv4; return e },
		"another verdict":   func(e []any) []any { find[*expr.Verdict](e).Kind = expr.VerdictReturn; return e },
		"without its end":   func(e []any) []any { return e[:len(e)-1] },
		"without its start": func(e []any) []any { return e[2:] },
		"one more":          func(e []any) []any { return append(e, opaque("log")) },
	} {
		exprs, err := compile(rule)
		if err != nil {
			t.Fatal(err)
		}
		if got := decompile(change(anyOf(exprs))); got == rule {
			t.Errorf("%s: still reads as %q", name, got)
		}
	}
}

func find[T expr.Any](exprs []any) T {
	for _, e := range exprs {
		if found, ok := e.(T); ok {
			return found
		}
	}
	panic("no such expression")
}

func TestWrongRules(t *testing.T) {
	for _, rule := range []string{
		"ip saddr fe80::/10 accept", "ip6 saddr 10.0.0.0/8 accept", "ip saddr 10.0.0.1 accept", "tcp dport 70000 accept", "tcp dport accept",
		"iifname * drop", "iifname a-name-that-is-too-long drop", "meta l4proto sctp accept", "tcp flags 0x12 accept", "goto", "reject",
		"update @x { meta mark limit rate over 1/minute burst 1 packets }", "meta mark set iif & 0xff | 0x1ff",
	} {
		if exprs, err := compile(rule); err == nil {
			t.Errorf("%q compiles to %d expressions", rule, len(exprs))
		} else if !strings.Contains(err.Error(), rule) {
			t.Errorf("%q: the error does not name it: %v", rule, err)
		}
	}
}

func anyOf(exprs []expr.Any) []any {
	out := make([]any, len(exprs))
	for i, e := range exprs {
		out[i] = e
	}
	return out
}
