package linux

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/conformance/kernelbench"
	"github.com/pointsman/pointsman/agent/internal/system/nft"
)

// newProtectedLeaf is newLeaf with our table of nftables. Package nft's own tests fail where the kernel has none; here they are left
// out, out loud.
func newProtectedLeaf(t *testing.T) *leaf {
	t.Helper()
	if err := nft.Supported(); err != nil {
		t.Skipf("SELF-PROTECTION IS NOT TRIED: this kernel has no such nftables; make lab-kernel builds one that has: %v", err)
	}
	l := &leaf{Devices: kernelbench.NewDevices(t)}
	l.frr = &fakeFRR{}
	l.openWith(Options{FRR: l.frr, Protection: nft.Table{}, Protect: plan.Protect{On: true}})
	return l
}

// The table is one more part of the switch: a second pass has nothing to do with it, and what others do to it is seen and undone.
func TestProtectionIsKept(t *testing.T) {
	l := newProtectedLeaf(t)
	intent := leafIntent(tenantPort("swp1", 104001, 1))
	l.converge(intent)
	if _, ops := l.plan(intent); len(ops) > 0 {
		t.Fatalf("a second pass has work: %v", ops)
	}
	kicks := make(chan string, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	kernelbench.Here(t, done, func() error { return l.Watch(ctx, func(why string) { kicks <- why }) })
	time.Sleep(200 * time.Millisecond)
	for _, drift := range []struct{ command, chains string }{
		{"nft flush chain inet pointsman port-swp1", "port-swp1"},
		{"nft insert rule inet pointsman input tcp dport 22 accept", "input"},
		{"nft add chain inet pointsman other", "other"},
		{"nft delete table inet pointsman", "cpu-bfd cpu-bgp cpu-dhcp cpu-icmp cpu-nd input machine port-swp1 port-swp2 port-swp3"},
	} {
		l.Command(drift.command)
		expect(t, kicks, "nftables", drift.command)
		var chains []string
		for _, op := range l.converge(intent) {
			for line := range strings.Lines(op.String()) {
				name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(line, "nft delete chain "), "nft chain "), ":")
				chains = append(chains, strings.TrimSpace(name))
			}
		}
		if got := strings.Join(chains, " "); got != drift.chains {
			t.Errorf("after %q, chains %q were written; want %q", drift.command, got, drift.chains)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A port that goes takes its chain along, and one that comes gets one before it comes up.
func TestProtectionOfHotPlug(t *testing.T) {
	l := newProtectedLeaf(t)
	l.converge(leafIntent())
	l.IP("link del swp3")
	facts, err := l.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	without := leafIntent()
	delete(without.Ports, "swp3")
	without.Config.Ports = without.Config.Ports[:3]
	if _, there := facts.Ports["swp3"]; there {
		t.Fatal("swp3 is still there")
	}
	l.converge(without)
	l.IP("link add swp3 index 203 type veth peer name m3 netns %d", l.Machines[2])
	var steps []string
	for _, op := range l.converge(leafIntent()) {
		if s := op.String(); strings.HasPrefix(s, "nft chain port-swp3: hook ingress swp3; ") || s == "set swp3 up" {
			steps = append(steps, s[:len("set swp3 up")])
		}
	}
	if got := strings.Join(steps, ", "); got != "nft chain p, set swp3 up" {
		t.Errorf("steps %q", got)
	}
}
