package plan_test

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/memory"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// The rules of a leaf, as they stand in docs/self-protection.md.
func TestProtection(t *testing.T) {
	intent := with(leafIntent(), tenantPort("swp1", 104001, 1), netmodel.PortIntent{Port: "swp3", Mode: netmodel.ModeDisabled})
	intent.Ports["swp1"] = granted(intent.Ports["swp1"], "fd00::1/128", "10.64.0.0/13")
	delete(intent.Ports, "swp4") // no intent is no permission
	facts := leafFacts()
	facts.Protect = plan.Protect{On: true, Limits: map[plan.CPUClass]int{plan.CPUICMP: 7}}
	want, _, _, err := plan.Desired(intent, facts)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(want.Kernel.Protection)) {
		c := want.Kernel.Protection[name]
		text.WriteString("chain " + name + strings.TrimRight(" "+string(c.Hook)+" "+c.Device, " ") + "\n")
		for _, r := range c.Rules {
			text.WriteString("    " + r + "\n")
		}
	}
	golden(t, "protection", text.String())
	facts.Protect.On = false
	if want, _, _, err = plan.Desired(intent, facts); err != nil || want.Kernel.Protection != nil {
		t.Errorf("where the switch does not protect itself, it wants the rules %v: %v", want.Kernel.Protection, err)
	}
}

func granted(p netmodel.PortIntent, prefixes ...string) netmodel.PortIntent {
	for _, text := range prefixes {
		p.Grants = append(p.Grants, netmodel.Grant{Prefix: netip.MustParsePrefix(text)})
	}
	return p
}

// A grant of everything, as a firewall has it, is no prefix that nft could compare with.
func TestGrantOfEverything(t *testing.T) {
	facts := leafFacts()
	facts.Protect.On = true
	want, _, _, err := plan.Desired(with(leafIntent(), granted(tenantPort("swp1", 104001, 1), "0.0.0.0/0", "::/0")), facts)
	if err != nil {
		t.Fatal(err)
	}
	rules := want.Kernel.Protection["port-swp1"].Rules
	for _, r := range []string{"meta nfproto ipv4 accept", "meta nfproto ipv6 accept"} {
		if !slices.Contains(rules, r) {
			t.Errorf("no %q in %q", r, rules)
		}
	}
}

// A port's rules change while it is down, in one step, and no other port's with it.
func TestProtectionOfAMove(t *testing.T) {
	s, stored := memory.New("leaf1", "swp1", "swp2", "swp3", "swp4", "swp49", "swp50"), &plan.Assignments{}
	s.Protect(plan.Protect{On: true})
	pass(t, s, with(leafIntent(), tenantPort("swp1", 104001, 1)), stored, -1)
	moved := pass(t, s, with(leafIntent(), tenantPort("swp1", 104002, 9)), stored, -1)
	at := func(line string) int {
		return slices.IndexFunc(moved.ops, func(op plan.Op) bool { return strings.HasPrefix(op.String(), line) })
	}
	down, rules, up := at("set swp1 down"), at("nft chain port-swp1: hook ingress swp1"), at("set swp1 up")
	if down < 0 || down > rules || rules > up {
		t.Errorf("down, rules, up are steps %d, %d, %d of\n%s", down, rules, up, transcript(moved.ops))
	}
	step := moved.ops[rules].(plan.SetProtection)
	if len(step.Set) != 1 || len(step.Delete) != 0 || cmp.Diff([]string{"swp1"}, step.Ports()) != "" {
		t.Errorf("the step is for %v: %v", step.Ports(), step)
	}
	if text := step.String(); !strings.Contains(text, "ip saddr 10.0.0.9/32 accept") || strings.Contains(text, "10.0.0.1/32") {
		t.Errorf("the rules are not those of the new allocation: %s", text)
	}
}

// Turned off, the table goes; where it cannot be read, nothing is done to it.
func TestProtectionTurnedOff(t *testing.T) {
	s, stored := memory.New("leaf1", "swp1", "swp2", "swp3", "swp4", "swp49", "swp50"), &plan.Assignments{}
	s.Protect(plan.Protect{On: true})
	pass(t, s, leafIntent(), stored, -1)
	s.Protect(plan.Protect{})
	s.Alter("unreadable", func(st *plan.State) { st.Unknown = []plan.Part{plan.PartProtection} })
	if ops := pass(t, s, leafIntent(), stored, -1).ops; len(ops) != 0 {
		t.Errorf("nobody could read the table, and yet:\n%s", transcript(ops))
	}
	s.Alter("readable", func(st *plan.State) { st.Unknown = nil })
	if got := transcript(pass(t, s, leafIntent(), stored, -1).ops); got != "nft delete table inet pointsman\n" {
		t.Errorf("turned off:\n%s", got)
	}
	if st, _ := s.Observe(context.Background()); st.Kernel.Protection != nil {
		t.Error("the table is still there")
	}
}
