package sonic

import (
	"context"
	"fmt"
	"strconv"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// setPortUp sets a port's administrative state. One that is in no VLAN and in no VRF is routed in the default one, or it would carry
// nothing.
func (e *executor) setPortUp(o plan.SetUp) error {
	if o.Up {
		if err := e.ensureRouted(o.Device); err != nil {
			return err
		}
	}
	status := "down"
	if o.Up {
		status = "up"
	}
	if err := e.put(Key{Table: tablePort, Name: o.Device}, Row{"admin_status": status}); err != nil {
		return err
	}
	return e.await(func(context.Context) (string, error) {
		device, exists, err := e.Device(o.Device)
		switch {
		case err != nil:
			return "", err
		case !exists:
			return "there is no device " + o.Device, nil
		case device.Up != o.Up:
			return fmt.Sprintf("the kernel does not have %s %s", o.Device, status), nil
		}
		return "", nil
	})
}

func (e *executor) ensureRouted(port string) error {
	config := e.snapshot()
	row, routed := config[Key{Table: tableInterface, Name: port}]
	switch {
	case len(config.memberships(port)) > 0, routed && row["vrf_name"] != "":
		return nil
	case routed && row[linkLocalOnly] != "enable": // others' addresses stay
		return e.put(Key{Table: tableInterface, Name: port}, Row{linkLocalOnly: "enable"})
	case routed:
		return nil
	}
	if err := e.leaveVLANs(port); err != nil { // of a port without memberships, that the ASIC knows it
		return err
	}
	return e.enterRouting(port, "")
}

func (e *executor) setPortMTU(port string, mtu int) error {
	if err := e.put(Key{Table: tablePort, Name: port}, Row{"mtu": strconv.Itoa(mtu)}); err != nil {
		return err
	}
	return e.await(func(context.Context) (string, error) {
		device, exists, err := e.Device(port)
		if err == nil && (!exists || device.MTU != mtu) {
			return fmt.Sprintf("the kernel has %s with MTU %d", port, device.MTU), nil
		}
		return "", err
	})
}

// setBridgePort sets what SONiC has no row for. On a port that is about to enter the bridge it is set when it has.
func (e *executor) setBridgePort(o plan.SetBridgePort) error {
	device, _, err := e.Device(o.Device)
	if err != nil {
		return err
	}
	if device.Master == plan.BridgeName {
		return e.plainly(o)
	}
	if o.Flag != plan.Isolated {
		return fmt.Errorf("%s is no bridge port", o.Device)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.isolation[o.Device] = o.On
	return nil
}

// enterVLAN makes a port a member of a VLAN, and waits until the ASIC bridges it.
func (e *executor) enterVLAN(port string, m plan.Member) error {
	key := Key{Table: tableMember, Name: plan.SVIName(m.VLAN), Sub: port}
	settled := func(ctx context.Context) (string, error) { return e.bridgedIn(ctx, port, key) }
	want := Row{"tagging_mode": "tagged"}
	if m.PVID && m.Untagged {
		want["tagging_mode"] = "untagged"
	}
	if now, there := e.snapshot()[key]; there {
		if missing, err := settled(e.ctx); err == nil && missing == "" && now.has(want) {
			return e.plainly(plan.AddMember{Device: port, Member: m}) // the kernel alone has forgotten
		}
		if err := e.leaveVLANs(port); err != nil {
			return err
		}
	}
	if err := e.put(key, want); err != nil {
		return err
	}
	if err := e.await(settled); err != nil {
		return err
	}
	return e.isolate(port)
}

// isolate sets on a port that has entered the bridge what was asked for before it had.
func (e *executor) isolate(port string) error {
	e.mu.Lock()
	on, asked := e.isolation[port]
	delete(e.isolation, port)
	e.mu.Unlock()
	if !asked {
		return nil
	}
	return e.plainly(plan.SetBridgePort{Device: port, Flag: plan.Isolated, On: on})
}

// bridgedIn looks whether a port is in a VLAN by all that say something of it.
func (e *executor) bridgedIn(ctx context.Context, port string, member Key) (missing string, err error) {
	ack, _ := stateOf(member)
	if _, there, err := e.stateRow(ctx, ack); err != nil || !there {
		return fmt.Sprintf("%s does not say that %s is in %s", stateDB, port, member.Name), err
	}
	if missing, err := e.unbridged(ctx, port); err != nil || missing == "" {
		return fmt.Sprintf("%s does not bridge %s", asicDB, port), err
	}
	device, _, err := e.Device(port)
	if err == nil && device.Master != plan.BridgeName {
		return fmt.Sprintf("the kernel has %s in %q", port, device.Master), nil
	}
	return "", err
}

// leaveVLAN ends one membership. One that only the kernel knows of ends there.
func (e *executor) leaveVLAN(o plan.DeleteMember) error {
	key := Key{Table: tableMember, Name: plan.SVIName(o.VLAN), Sub: o.Device}
	if !e.has(key) {
		return e.plainly(o)
	}
	if err := e.restoreMember(key); err != nil {
		return err
	}
	if err := e.drop(key); err != nil {
		return err
	}
	ack, _ := stateOf(key)
	return e.await(func(ctx context.Context) (string, error) { return e.forgotten(ctx, ack) })
}
