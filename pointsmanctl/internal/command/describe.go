package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pointsmanctl/internal/output"
)

// defaultHistory is how many changes stand on a page unless somebody asks for more.
const defaultHistory = 10

func (a *app) describeCommand() *cobra.Command {
	port := a.describe("port SWITCH:PORT", "A port, who is cabled to it, its allocation, probes, receipt and history", "port leaf01:swp1", a.portNames, (*describer).port)
	port.Use, port.Args = "port SWITCH:PORT | SWITCH PORT", cobra.RangeArgs(1, 2)
	port.Example += "\n  pointsmanctl describe port leaf01 swp1"
	return group("describe", "All that is known of one thing, on one page",
		a.describe("machine MACHINE", "A machine, its allocation, ports, sessions, probes, receipt and history", "machine machine01", a.machineIDs, (*describer).machine),
		a.describe("switch SWITCH", "A switch, its ports, sessions, allocations and history", "switch leaf01", a.switchIDs, (*describer).sw),
		port,
		a.describe("network NETWORK", "A network, its allocations, addresses, ports, sessions and history", "network blue", a.networkIDs, (*describer).network),
		a.describe("allocation ALLOCATION", "An allocation, its machine, ports, sessions, probes, receipt and history", "allocation web1", a.allocationIDs, (*describer).allocation),
	)
}

// describe makes one of the commands: look puts what there is of a thing together.
func (a *app) describe(use, short, example string, names ids, look func(*describer, context.Context, string) error) *cobra.Command {
	var history int
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long: short + `.

What the thing shall be stands beside what the switches report of it, with what is wrong and who changed what when. -o json prints all of
it as one object, whose parts are as in the API.`,
		Example:           "  pointsmanctl describe " + example + "\n  pointsmanctl describe " + example + " --history 50 -o json",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.first(names),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			if history < 0 {
				return usagef("--history %d: give how many changes to show, 0 for none", history)
			}
			d := &describer{a: a, c: c, history: history, switches: map[string]*apiv1.Switch{}}
			if err := look(d, ctx, strings.Join(args, ":")); err != nil {
				return err
			}
			return a.printer().Describe(d.out)
		}),
	}
	cmd.Flags().IntVar(&history, "history", defaultHistory, "how many changes to show, the latest first; 0 is none")
	fixed(cmd, "history")
	return cmd
}

// describer puts a description together.
type describer struct {
	a        *app
	c        *client
	history  int
	switches map[string]*apiv1.Switch // those that were asked for
	out      output.Description
}

func (d *describer) machine(ctx context.Context, id string) error {
	m, err := d.c.machines.GetMachine(ctx, &apiv1.GetMachineRequest{Id: id})
	if err != nil {
		return err
	}
	d.out.Machine = m
	for _, at := range m.GetConnections() {
		if err := d.addPort(ctx, at.GetSwitch(), at.GetPort()); err != nil {
			return err
		}
	}
	if err := d.addAllocation(ctx, m.GetProject(), m.GetAllocation()); err != nil {
		return err
	}
	return d.changes(ctx, "machines/"+id, "")
}

func (d *describer) sw(ctx context.Context, id string) error {
	sw, err := d.look(ctx, id)
	if err != nil {
		return err
	}
	d.out.Switch = sw
	for _, v := range sw.GetPortViews() {
		d.out.Ports = append(d.out.Ports, output.Port{Switch: id, Alive: sw.GetAlive(), View: v})
	}
	// The ports say who is on them, of whatever project.
	for _, v := range sw.GetPortViews() {
		allocation, err := d.allocationOf(ctx, v.GetIntent().GetProject(), v.GetIntent().GetAllocation())
		if err != nil {
			return err
		}
		if allocation != nil {
			d.out.Allocations = append(d.out.Allocations, allocation)
		}
	}
	return d.changes(ctx, "switches/"+id, "")
}

func (d *describer) port(ctx context.Context, name string) error {
	at, port, ok := strings.Cut(name, ":")
	if !ok || at == "" || port == "" {
		return usagef("%q: name a port as SWITCH:PORT, such as leaf01:swp1", name)
	}
	if err := d.addPort(ctx, at, port); err != nil {
		return err
	}
	if len(d.out.Ports) == 0 {
		return fmt.Errorf("switch %s has no port %q: see pointsmanctl switch get %s", at, port, at)
	}
	machine, err := d.cabled(ctx, at, port)
	if err != nil {
		return err
	}
	d.out.Machine = machine
	intent := d.out.Ports[0].View.GetIntent()
	if err := d.addAllocation(ctx, intent.GetProject(), intent.GetAllocation()); err != nil {
		return err
	}
	return d.changes(ctx, "switches/"+at+"/ports/"+port, "")
}

// cabled is the machine that is heard on a port, if one is.
func (d *describer) cabled(ctx context.Context, at, port string) (*apiv1.Machine, error) {
	r, err := d.c.machines.ListMachines(ctx, &apiv1.ListMachinesRequest{Filter: fmt.Sprintf("connections.switch = %q", at)})
	if err != nil {
		return nil, err
	}
	for _, m := range r.GetMachines() {
		if slices.ContainsFunc(m.GetConnections(), func(c *apiv1.MachineConnection) bool { return c.GetSwitch() == at && c.GetPort() == port }) {
			return m, nil
		}
	}
	return nil, nil
}

func (d *describer) network(ctx context.Context, id string) error {
	n, err := d.c.networks.GetNetwork(ctx, &apiv1.GetNetworkRequest{Project: d.a.project, Id: id})
	if err != nil {
		return err
	}
	d.out.Network = n
	allocations, err := d.c.allocations.ListAllocations(ctx, &apiv1.ListAllocationsRequest{Project: d.a.project, Network: id})
	if err != nil {
		return err
	}
	ips, err := d.c.ips.ListIPs(ctx, &apiv1.ListIPsRequest{Project: d.a.project, Network: id})
	if err != nil {
		return err
	}
	d.out.Allocations, d.out.IPs = allocations.GetAllocations(), ips.GetIps()
	if err := d.portsIn(ctx, n); err != nil {
		return err
	}
	return d.changes(ctx, "networks/"+id, n.GetProject())
}

// portsIn adds the ports that are in a network, or that switches still have in its VRF.
func (d *describer) portsIn(ctx context.Context, n *apiv1.Network) error {
	r, err := d.c.switches.ListSwitches(ctx, &apiv1.ListSwitchesRequest{})
	if err != nil {
		return err
	}
	for _, sw := range r.GetSwitches() {
		for _, v := range sw.GetPortViews() {
			told := v.GetIntent().GetProject() == n.GetProject() && v.GetIntent().GetNetwork() == n.GetId()
			if told || n.GetVrf() != "" && v.GetStatus().GetVrf() == n.GetVrf() {
				d.out.Ports = append(d.out.Ports, output.Port{Switch: sw.GetId(), Alive: sw.GetAlive(), View: v})
			}
		}
	}
	return nil
}

func (d *describer) allocation(ctx context.Context, id string) error {
	allocation, err := d.c.allocations.GetAllocation(ctx, &apiv1.GetAllocationRequest{Project: d.a.project, Id: id})
	if err != nil {
		return err
	}
	d.out.Machine, err = d.c.machines.GetMachine(ctx, &apiv1.GetMachineRequest{Id: allocation.GetMachine()})
	if err != nil && status.Code(err) != codes.NotFound {
		return err
	}
	for _, p := range allocation.GetPorts() {
		if err := d.addPort(ctx, p.GetSwitch(), p.GetPort()); err != nil {
			return err
		}
	}
	if err := d.addAllocation(ctx, allocation.GetProject(), id); err != nil {
		return err
	}
	return d.changes(ctx, "allocations/"+id, allocation.GetProject())
}

// look asks for a switch once.
func (d *describer) look(ctx context.Context, id string) (*apiv1.Switch, error) {
	if sw := d.switches[id]; sw != nil {
		return sw, nil
	}
	sw, err := d.c.switches.GetSwitch(ctx, &apiv1.GetSwitchRequest{Id: id})
	d.switches[id] = sw
	return sw, err
}

// addPort adds a port, if its switch has it.
func (d *describer) addPort(ctx context.Context, at, port string) error {
	sw, err := d.look(ctx, at)
	if err != nil {
		return err
	}
	for _, v := range sw.GetPortViews() {
		if v.GetName() == port {
			d.out.Ports = append(d.out.Ports, output.Port{Switch: at, Alive: sw.GetAlive(), View: v})
		}
	}
	return nil
}

// allocationOf asks for an allocation that something refers to. One that was released meanwhile is none.
func (d *describer) allocationOf(ctx context.Context, project, id string) (*apiv1.Allocation, error) {
	if id == "" {
		return nil, nil
	}
	allocation, err := d.c.allocations.GetAllocation(ctx, &apiv1.GetAllocationRequest{Project: project, Id: id})
	if status.Code(err) == codes.NotFound {
		return nil, nil
	}
	return allocation, err
}

// addAllocation adds an allocation and what proves it.
func (d *describer) addAllocation(ctx context.Context, project, id string) error {
	allocation, err := d.allocationOf(ctx, project, id)
	if err != nil || allocation == nil {
		return err
	}
	probes, err := d.c.allocations.ListProbes(ctx, &apiv1.ListProbesRequest{Project: project, Id: id})
	if err != nil && status.Code(err) != codes.NotFound {
		return err
	}
	d.out.Allocation, d.out.Probes = allocation, probes.GetProbes()
	return nil
}

// changes adds the last changes of a resource.
func (d *describer) changes(ctx context.Context, resource, project string) error {
	if d.history == 0 {
		return nil
	}
	r, err := d.c.changes.ListChanges(ctx, &apiv1.ListChangesRequest{Resource: resource, Project: project, PageSize: int32(min(d.history, 1<<20))})
	if err != nil {
		return err
	}
	d.out.Changes, d.out.Older = r.GetChanges(), r.GetNextPageToken() != ""
	return nil
}

// portNames offers ports as SWITCH:PORT.
func (a *app) portNames(ctx context.Context, c *client) ([]string, error) {
	r, err := c.switches.ListSwitches(ctx, &apiv1.ListSwitchesRequest{})
	var out []string
	for _, s := range r.GetSwitches() {
		for _, p := range s.GetPorts() {
			out = append(out, s.GetId()+":"+p.GetName())
		}
	}
	return out, err
}
