package cumulus

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/conformance"
	"github.com/pointsman/pointsman/agent/internal/system/conformance/kernelbench"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

func leafIntent(changes ...netmodel.PortIntent) plan.Intent {
	in := fabricIntent()
	in.Config.Ports, in.Ports = []netmodel.SwitchPort{{Name: "swp4", Role: netmodel.PortUplink}}, map[string]netmodel.PortIntent{}
	for _, name := range []string{"swp1", "swp2", "swp3"} {
		in.Config.Ports = append(in.Config.Ports, netmodel.SwitchPort{Name: name, Role: netmodel.PortMachine})
		in.Ports[name] = netmodel.PortIntent{Port: name, Mode: netmodel.ModeProvisioning}
	}
	for _, p := range changes {
		in.Ports[p.Port] = p
	}
	return in
}

func tenantPort(port string, vni netmodel.VNI) netmodel.PortIntent {
	return netmodel.PortIntent{
		Port: port, Mode: netmodel.ModeVRF, VRF: netmodel.VRFName(vni), VNI: vni, PeerASN: 4201000000,
		Grants: []netmodel.Grant{{Prefix: netip.MustParsePrefix("10.0.0.1/32")}},
	}
}

// kernelSteps are those that a plan has for devices. Sysctls, rules, routes and FRR are the agent's alone to set at each start.
func kernelSteps(ops []plan.Op) []string {
	var out []string
	for _, op := range ops {
		switch op.(type) {
		case plan.SetSysctl, plan.AddRule, plan.DeleteRule, plan.AddUnreachable, plan.ApplyFRR, plan.SaveFRR, plan.SetProtection:
		default:
			out = append(out, op.String())
		}
	}
	return out
}

// What the agent wrote is what ifupdown2 makes of a switch that starts: the agent finds every device as it wants it.
func TestStart(t *testing.T) {
	in := leafIntent(tenantPort("swp1", 104001), tenantPort("swp2", 104002))
	in.Ports["swp3"] = netmodel.PortIntent{Port: "swp3", Mode: netmodel.ModeProvisioning}
	var written string
	t.Run("written", func(t *testing.T) {
		b := newSwitch(t)
		(&conformance.Agent{System: b.Open()}).Converge(t, in)
		written = b.file()
		b.settled()
	})
	t.Run("started", func(t *testing.T) {
		b := newSwitch(t)
		if err := os.WriteFile(interfacesFile, []byte(written), 0o644); err != nil {
			t.Fatal(err)
		}
		b.reload()
		agent := &conformance.Agent{System: b.Open()}
		_, ops := agent.Plan(t, in)
		if steps := kernelSteps(ops); len(steps) > 0 {
			t.Errorf("ifupdown2 left this to do:\n%s\nof\n%s", strings.Join(steps, "\n"), written)
		}
		agent.Converge(t, in)
		b.reload() // an operator may, at any time
		if _, ops := agent.Plan(t, in); len(kernelSteps(ops)) > 0 {
			t.Errorf("after a reload there is work:\n%s", strings.Join(kernelSteps(ops), "\n"))
		}
		agent.Converge(t, in)
		if err := b.Proven(); err != nil {
			t.Error(err)
		}
	})
}

func (b *onBench) reload() {
	b.Helper()
	if out, err := ifupdown2()(b.Context(), "ifreload", "-a"); err != nil {
		b.Fatalf("ifreload -a: %v: %s", err, out)
	} else if strings.Contains(string(out), "error") {
		b.Errorf("ifreload -a says: %s", out)
	}
}

// A file that ifupdown2 would not take, or in which somebody else configures what is ours, is not touched, and the reason is said; the
// ports move all the same.
func TestFileIsNotTouched(t *testing.T) {
	for name, tt := range map[string]struct{ more, want string }{
		"a parse error": {"\nauto swp9\ninterface swp9\n", "line 17: \"interface swp9\""},
		"contested":     {"\nauto swp1\niface swp1\n\tlink-speed 25000\n\tmtu 1500\n", interfacesFile + ":19: mtu of swp1 is the agent's to set: delete the line"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newSwitch(t)
			if err := os.WriteFile(interfacesFile, []byte(installed+tt.more), 0o644); err != nil {
				t.Fatal(err)
			}
			agent := &conformance.Agent{System: b.Open()}
			in := leafIntent(tenantPort("swp1", 104001))
			_, ops := agent.Plan(t, in)
			for _, r := range agent.System.Apply(t.Context(), ops) {
				_, saves := r.Op.(plan.SaveKernel)
				if saves != (r.Err != nil) || saves && !strings.Contains(r.Err.Error(), tt.want) {
					t.Errorf("%s: %v", r.Op, r.Err)
				}
			}
			if p := b.Look().Ports["swp1"]; p.Master != "Vrf104001" || !p.Up {
				t.Errorf("the port did not move: %+v", p)
			}
			if text := b.file(); text != installed+tt.more {
				t.Errorf("the file was touched:\n%s", text)
			}
			if err := os.WriteFile(interfacesFile, []byte(installed), 0o644); err != nil {
				t.Fatal(err)
			}
			agent.Converge(t, in)
			if err := b.Proven(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What is changed in the agent's stanzas is set right, and what others have beside them stays.
func TestFileIsRepaired(t *testing.T) {
	b := newSwitch(t)
	agent := &conformance.Agent{System: b.Open()}
	in := leafIntent(tenantPort("swp1", 104001))
	agent.Converge(t, in)
	right := b.file()
	for _, edited := range []string{
		strings.Replace(right, "    vrf Vrf104001\n", "", 1),
		installed,
		strings.Replace(right, "auto swp2\n", "auto swp7\niface swp7\n    mtu 1500\n\nauto swp2\n", 1),
	} {
		if err := os.WriteFile(interfacesFile, []byte(edited), 0o644); err != nil {
			t.Fatal(err)
		}
		if ops := agent.Converge(t, in); len(ops) != 1 {
			t.Errorf("repaired by %v", ops)
		}
		if diff := cmp.Diff(right, b.file()); diff != "" {
			t.Errorf("not repaired (-want +got):\n%s", diff)
		}
	}
}

// Where ifupdown2 finds fault with what netlink does not cover, it is had to reload, and the proof holds again.
func TestProofThatFails(t *testing.T) {
	b := newSwitch(t)
	agent := &conformance.Agent{System: b.Open()}
	in := leafIntent(tenantPort("swp1", 104001))
	agent.Converge(t, in)
	b.settled()
	b.IP("link set bridge type bridge stp_state 1") // which nobody here observes
	agent.System = b.Open()                         // and the next start has all proven
	kicks, done := make(chan string, 1000), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	kernelbench.Here(t, done, func() error { return agent.System.Watch(ctx, func(why string) { kicks <- why }) })
	for deadline := time.After(time.Minute); ; {
		select {
		case why := <-kicks:
			if why != "ifquery --check" {
				continue
			}
		case <-deadline:
			t.Fatal("nobody said that the proof failed")
		}
		break
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	_, ops := agent.Plan(t, in)
	if got := fmt.Sprint(ops); got != "[save bridge for the next start]" {
		t.Errorf("planned %s", got)
	}
	agent.Converge(t, in)
	if err := b.Proven(); err != nil {
		t.Error(err)
	}
	if strings.Contains(b.IP("-d link show bridge"), "stp_state 1") {
		t.Error("the bridge has STP still")
	}
}

// A switch with one VXLAN device for all VNIs is left alone.
func TestSharedTunnelIsRefused(t *testing.T) {
	b := newSwitch(t)
	for _, c := range []string{"link add br9 type bridge vlan_filtering 1", "link add vxlan48 type vxlan external dstport 4789", "link set vxlan48 master br9"} {
		b.IP("%s", c)
	}
	facts, err := b.Open().Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(facts.Refusal, "VXLAN device vxlan48 carries all VNIs") {
		t.Errorf("refusal %q", facts.Refusal)
	}
	if _, _, _, err := plan.Desired(leafIntent(), facts); err == nil || !strings.Contains(err.Error(), "is left alone: VXLAN device vxlan48") {
		t.Errorf("error %v", err)
	}
}
