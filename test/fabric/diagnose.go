package fabric

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

const diagnoseLimit = 90 * time.Second

// protectionHeading is where lab.DumpKernel comes to nftables.
const protectionHeading = "# nft list ruleset"

// diagnosed writes a diagnosis to w after a failed start.
func (f *Fabric) diagnosed(w io.Writer) error {
	if w == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), diagnoseLimit)
	defer cancel()
	f.Diagnose(ctx, w)
	return nil
}

// Diagnose writes what an engineer needs after a failure: the control plane's view and log, and of each node the agent's log,
// its plan, FRR's view and the kernel's.
func (f *Fabric) Diagnose(ctx context.Context, w io.Writer, nodes ...string) {
	section := func(name, text string, err error) {
		fmt.Fprintf(w, "\n===== %s\n%s\n", name, strings.TrimSpace(text))
		if err != nil {
			fmt.Fprintf(w, "(%v)\n", err)
		}
	}
	if f.CP != nil {
		section("control plane's log", string(tail([]byte(f.CP.Log()), 12000)), nil)
	}
	if f.API != nil {
		f.diagnoseAPI(ctx, section)
	}
	if f.Lab == nil {
		return
	}
	if len(nodes) == 0 {
		nodes = append(f.SwitchNames(""), f.MachineNames()...)
	}
	for _, n := range nodes {
		service := "agent"
		if strings.HasPrefix(n, "machine") {
			service = "host"
		}
		logs, err := f.Lab.Logs(ctx, n, service)
		section(n+": log of "+service+", but what was done", string(tail([]byte(withoutDone(logs)), 12000)), nil)
		section(n+": log of "+service, string(tail([]byte(logs), 8000)), err)
		if service == "agent" {
			text, err := f.Lab.Run(ctx, n, "timeout", "20", "pointsman-agent", "plan", "--config", "/etc/pointsman/agent.yaml")
			section(n+": plan", text, err)
			text, err = f.Lab.Run(ctx, n, "timeout", "20", "sh", "-c", "vtysh -c 'show bgp vrf all summary' -c 'show bgp l2vpn evpn' -c 'show evpn vni'; tail -n 40 /var/log/frr/*.log; tail -n 60 /var/tmp/frr/*/crashlog 2>/dev/null; true")
			section(n+": FRR", string(tail([]byte(text), 8000)), err)
			text, err = f.Lab.Run(ctx, n, "timeout", "20", "sh", "-c", "vtysh -c 'show nexthop-group rib' -c 'show bgp ipv4 unicast' -c 'show ip route' -c 'show ip nht' -c 'show ipv6 nht' -c 'show bgp nexthop' -c 'show bgp summary'")
			section(n+": underlay", string(tail([]byte(text), 12000)), err)
			text, err = f.Lab.Run(ctx, n, "timeout", "20", "sh", "-c", "vtysh -c 'show bgp vrf all ipv4 unicast' -c 'show bgp vrf all ipv6 unicast' -c 'show ip route vrf all' -c 'show ipv6 route vrf all'")
			section(n+": routes", string(tail([]byte(text), 16000)), err)
		}
		text, err := f.Lab.DumpKernel(ctx, n)
		// Protection prints a long table and comes last: it must not push the routes out.
		text, rest, _ := strings.Cut(text, protectionHeading)
		section(n+": kernel", string(tail([]byte(text), 24000)), err)
		section(n+": nftables, and FRR's configuration", string(tail([]byte(rest), 12000)), nil)
	}
}

func (f *Fabric) diagnoseAPI(ctx context.Context, section func(name, text string, err error)) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	machines, err := f.API.Machines.ListMachines(ctx, &apiv1.ListMachinesRequest{})
	section("machines", protojson.MarshalOptions{Multiline: true}.Format(machines), err)
	allocations, err := f.API.Allocations.ListAllocations(ctx, &apiv1.ListAllocationsRequest{Project: Project})
	section("allocations", protojson.MarshalOptions{Multiline: true}.Format(allocations), err)
	for _, a := range allocations.GetAllocations() {
		if len(a.GetReceipt().GetWaitingFor()) > 0 {
			probes, err := f.API.Allocations.ListProbes(ctx, &apiv1.ListProbesRequest{Project: Project, Id: a.Id})
			section("probes of "+a.Id, protojson.MarshalOptions{Multiline: true}.Format(probes), err)
		}
	}
	switches, err := f.API.Switches.ListSwitches(ctx, &apiv1.ListSwitchesRequest{})
	section("switches", protojson.MarshalOptions{Multiline: true}.Format(switches), err)
}

// withoutDone is an agent's log without the many lines that name what it did.
func withoutDone(log string) string {
	var kept strings.Builder
	for line := range strings.Lines(log) {
		if !strings.Contains(line, " msg=did ") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
