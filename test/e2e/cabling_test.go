package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/fabric"
)

// port is a switch's, as the API names it.
type port struct{ node, name string }

func portOf(f *fabric.Fabric, node string, number int) port { return port{node, f.Port(node, number)} }

// String is how faults name it.
func (p port) String() string { return p.node + " " + p.name }

// end is how the lab names it.
func (p port) end() string { return p.node + ":" + p.name }

// wrongCabling is one way to cable machines wrongly, and what is said of it. Both ends of a cable are in every line.
type wrongCabling struct {
	name         string
	wrong, right func(ctx context.Context) error
	machines     map[string]string // not allocatable, and why
	ports        map[port]string
}

// recabled exchanges what two ports are cabled to, and back.
func recabled(f *fabric.Fabric, a, b port) (wrong, right func(ctx context.Context) error) {
	swap := func(ctx context.Context) error { return f.Lab.Recable(ctx, a.end(), b.end()) }
	return swap, swap
}

// TestCabling: whatever is cabled wrongly is told with both ends, at the machine and at the port; the machine is refused with the fault and
// the remedy; who has a machine already loses no packet. Cabled right again, all is as before, without a restart.
func TestCabling(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		p := newPair(ctx, t, f, "cabling") // machine01 and machine04
		programs := starts(ctx, t, f)
		// Ports two and three of a leaf are machine02's and machine03's, or machine05's and machine06's in the other rack.
		leaf01two, leaf01three := portOf(f, "leaf01", 2), portOf(f, "leaf01", 3)
		leaf02two, leaf02three := portOf(f, "leaf02", 2), portOf(f, "leaf02", 3)
		leaf03two, leaf03uplink, leaf04two := portOf(f, "leaf03", 2), portOf(f, "leaf03", 49), portOf(f, "leaf04", 2)
		crossed := wrongCabling{
			name: "crossed pairs",
			machines: map[string]string{
				"machine02": fmt.Sprintf("crossed with machine03: %v to machine02 lan0, %v to machine02 lan1", leaf01two, leaf02three),
				"machine03": fmt.Sprintf("crossed with machine02: %v to machine03 lan0, %v to machine03 lan1", leaf01three, leaf02two),
			},
		}
		crossed.wrong, crossed.right = recabled(f, leaf02two, leaf02three)
		racks := wrongCabling{
			name: "two racks",
			machines: map[string]string{
				"machine02": fmt.Sprintf("cabled to more than one rack: %v to machine02 lan0 in rack rack01, %v to machine02 lan1 in rack rack02", leaf01two, leaf04two),
				"machine05": fmt.Sprintf("cabled to more than one rack: %v to machine05 lan1 in rack rack01, %v to machine05 lan0 in rack rack02", leaf02two, leaf03two),
			},
		}
		racks.wrong, racks.right = recabled(f, leaf02two, leaf04two)
		twice := wrongCabling{
			name: "twice to one leaf",
			machines: map[string]string{
				"machine02": fmt.Sprintf("cabled 2 times to leaf01: %v to machine02 lan0, %v to machine02 lan1", leaf01two, leaf01three),
				"machine03": fmt.Sprintf("cabled 2 times to leaf02: %v to machine03 lan0, %v to machine03 lan1", leaf02two, leaf02three),
			},
		}
		twice.wrong, twice.right = recabled(f, leaf02two, leaf01three)
		hub := wrongCabling{
			name:  "a port with two neighbours",
			wrong: func(ctx context.Context) error { return f.Lab.Hub(ctx, leaf01two.end(), leaf01three.end()) },
			right: func(ctx context.Context) error { return f.Lab.Unhub(ctx, leaf01two.end(), leaf01three.end()) },
			machines: map[string]string{
				"machine02": fmt.Sprintf("%v hears more than one neighbour: machine02 lan0, machine03 lan0", leaf01two),
				"machine03": fmt.Sprintf("%v hears more than one neighbour: machine03 lan0, machine02 lan0", leaf01two),
			},
			ports: map[port]string{leaf01two: fmt.Sprintf("%v hears more than one neighbour: ", leaf01two)},
		}
		for _, w := range []wrongCabling{crossed, racks, twice, hub} {
			w.try(ctx, t, f, p)
		}
		// An uplink is taken away for the next one, at which the other rack's packets may be on their way: the tenant is in one rack.
		near := pair{"cabling, one rack", p.a, allocate(ctx, t, f, "cabling", "machine03"), p.vrf}
		uplink := wrongCabling{
			name: "an uplink where a machine should be",
			machines: map[string]string{
				"machine05": fmt.Sprintf("cabled to an uplink: %v to machine05 lan0", leaf03uplink),
			},
			ports: map[port]string{
				leaf03two:    fmt.Sprintf("%v hears switch spine01 swp3 where a machine should be", leaf03two),
				leaf03uplink: fmt.Sprintf("%v is an uplink and hears machine05 lan0, which is no registered switch", leaf03uplink),
			},
		}
		uplink.wrong, uplink.right = recabled(f, leaf03two, leaf03uplink)
		uplink.try(ctx, t, f, near)
		await(ctx, t, "all ways are back", p.whole(t, f))
		release(ctx, t, f, near.b)
		changedUnderAllocation(ctx, t, f, p)
		if now := starts(ctx, t, f); now != programs {
			t.Errorf("programs were started again:\nbefore %s\nafter  %s", programs, now)
		}
		release(ctx, t, f, p.a, p.b)
	})
}

// try cables wrongly, and right again, while another tenant's packets go both ways.
func (w wrongCabling) try(ctx context.Context, t *testing.T, f *fabric.Fabric, other pair) {
	t.Helper()
	other.lossless(ctx, t, f, "another tenant, with "+w.name, func() {
		if err := w.wrong(ctx); err != nil {
			t.Fatal(err)
		}
		await(ctx, t, w.name+" told", func(ctx context.Context) error { return w.told(ctx, f) })
		for machine, fault := range w.machines {
			refused(ctx, t, f, machine, fault)
		}
		if err := w.right(ctx); err != nil {
			t.Fatal(err)
		}
		await(ctx, t, w.name+" mended", func(ctx context.Context) error { return w.forgotten(ctx, f) })
	})
}

// told says what is not said of the wrong cabling.
func (w wrongCabling) told(ctx context.Context, f *fabric.Fabric) error {
	for machine, want := range w.machines {
		m, err := f.API.Machine(ctx, machine)
		if err != nil {
			return err
		}
		if m.State != apiv1.MachineState_MACHINE_STATE_FAULTY || !says(m.Faults, want) {
			return fmt.Errorf("%s is %v, %q; want %q", machine, m.State, m.Faults, want)
		}
	}
	for at, want := range w.ports {
		if faults, err := portFaults(ctx, f, at); err != nil || !says(faults, want) {
			return errors.Join(err, fmt.Errorf("port %v: %q; want %q", at, faults, want))
		}
	}
	return nil
}

// forgotten says what is still said of it.
func (w wrongCabling) forgotten(ctx context.Context, f *fabric.Fabric) error {
	for machine := range w.machines {
		if err := free(ctx, f, machine); err != nil {
			return err
		}
	}
	for at := range w.ports {
		if faults, err := portFaults(ctx, f, at); err != nil || len(faults) > 0 {
			return errors.Join(err, fmt.Errorf("port %v: %q", at, faults))
		}
	}
	return nil
}

// refused asserts that a machine cannot be allocated, and that who asks is told the fault and the remedy.
func refused(ctx context.Context, t *testing.T, f *fabric.Fabric, machine, fault string) {
	t.Helper()
	_, err := f.API.Allocate(ctx, "cabling", machine)
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), fault) || !strings.Contains(err.Error(), "put that right") {
		t.Errorf("allocate %s: %v; want a refusal that says %q and the remedy", machine, err, fault)
	}
}

// changedUnderAllocation: the neighbour of an allocated port changes. Its machine stays allocated, and reachable over the other leaf; who is
// heard there instead is not allocatable.
func changedUnderAllocation(ctx context.Context, t *testing.T, f *fabric.Fabric, other pair) {
	t.Helper()
	network(ctx, t, f, "cabling-own", "10.2.0.0/24", "fd02::/64")
	own, far := allocate(ctx, t, f, "cabling-own", "machine02"), allocate(ctx, t, f, "cabling-own", "machine05")
	at, beside := portOf(f, "leaf01", 2), portOf(f, "leaf01", 3)
	swapped := fmt.Sprintf("%v hears machine03 lan0 instead of machine02 lan0", at)
	lonely := fmt.Sprintf("heard on one leaf only: %v to machine03 lan1", portOf(f, "leaf02", 3))
	swap := func() {
		t.Helper()
		if err := f.Lab.Recable(ctx, at.end(), beside.end()); err != nil {
			t.Fatal(err)
		}
	}
	other.lossless(ctx, t, f, "another tenant, with a neighbour that changes under an allocation", func() {
		swap()
		await(ctx, t, "the changed neighbour told", func(ctx context.Context) error {
			m, err := f.API.Machine(ctx, "machine02")
			if err != nil {
				return err
			}
			if m.State != apiv1.MachineState_MACHINE_STATE_ALLOCATED || !says(m.Faults, swapped) {
				return fmt.Errorf("machine02 is %v, %q", m.State, m.Faults)
			}
			if faults, err := portFaults(ctx, f, at); err != nil || !says(faults, swapped) {
				return errors.Join(err, fmt.Errorf("port %v: %q", at, faults))
			}
			if m, err = f.API.Machine(ctx, "machine03"); err != nil || m.State != apiv1.MachineState_MACHINE_STATE_FAULTY || !says(m.Faults, lonely) {
				return errors.Join(err, fmt.Errorf("machine03 is %v, %q", m.GetState(), m.GetFaults()))
			}
			return nil
		})
		refused(ctx, t, f, "machine03", lonely)
		settle(ctx, t, f, "machine05", addresses(t, own)) // over leaf02
		swap()
		await(ctx, t, "the neighbour is back", func(ctx context.Context) error {
			m, err := f.API.Machine(ctx, "machine02")
			if err == nil && len(m.Faults) > 0 {
				err = fmt.Errorf("machine02: %q", m.Faults)
			}
			return errors.Join(err, free(ctx, f, "machine03"))
		})
		for _, to := range addresses(t, far) {
			awaitUplinks(ctx, t, f, "machine02", to)
		}
	})
	reach(ctx, t, f, own, far, 0)
	release(ctx, t, f, own, far)
}

func says(faults []string, want string) bool {
	return strings.Contains(strings.Join(faults, "; "), want)
}

// portFaults is what the switch's view says of a port.
func portFaults(ctx context.Context, f *fabric.Fabric, at port) ([]string, error) {
	sw, err := f.API.Switches.GetSwitch(ctx, &apiv1.GetSwitchRequest{Id: at.node})
	if err != nil {
		return nil, err
	}
	for _, v := range sw.PortViews {
		if v.Name == at.name {
			return v.Faults, nil
		}
	}
	return nil, fmt.Errorf("switch %s has no port %s", at.node, at.name)
}
