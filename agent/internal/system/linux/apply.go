package linux

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
)

// Apply implements system.System.
func (s *System) Apply(ctx context.Context, ops []plan.Op) []plan.Result {
	return system.Run(ops, s.Executor(ctx))
}

// Executor returns what carries out the steps of one Apply: for a network OS that has steps of its own besides.
func (s *System) Executor(ctx context.Context) system.Executor {
	return &executor{System: s, ctx: ctx, index: map[string]int{}}
}

// Awaiter is an FRR that must know a VRF before it hears of routes in the VRF's table.
type Awaiter interface {
	AwaitVRF(ctx context.Context, name string, index int)
}

// executor carries out the steps of one Apply. It remembers the devices that it has looked up, so that moving a port asks once.
type executor struct {
	*System
	ctx   context.Context
	index map[string]int
}

// Do implements system.Executor.
func (e *executor) Do(op plan.Op) error {
	if err := e.ctx.Err(); err != nil {
		return err
	}
	if err := e.do(op); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

func (e *executor) do(op plan.Op) error {
	switch o := op.(type) {
	case plan.SetSysctl:
		return writeSysctl(e.sysctl(o.Path), o.Value)
	case plan.AddRule:
		return e.route.addRule(o.Family, o.Rule)
	case plan.DeleteRule:
		return e.route.deleteRule(o.Family, o.Rule)
	case plan.AddUnreachable:
		return e.addUnreachable(o)
	case plan.DeleteUnreachable:
		return e.route.setUnreachable(o.Route, false)
	case plan.AddBridge:
		return e.addBridge(o.Bridge)
	case plan.AddVRF:
		return e.addVRF(o.Name, o.Table)
	case plan.AddSVI:
		return e.addSVI(o.VLAN, o.SVI)
	case plan.AddVNI:
		return e.addVNI(o.VNI, o.VXLAN)
	case plan.DeleteVRF:
		return e.delete(o.Name)
	case plan.DeleteSVI:
		return e.delete(plan.SVIName(o.VLAN))
	case plan.DeleteVNI:
		return e.delete(plan.VNIName(o.VNI))
	case plan.SetProtection:
		return e.protection.Set(o)
	case plan.DeleteProtection:
		return e.protection.Delete()
	case plan.SaveFRR:
		return e.frr.Save(e.ctx, o.Config.String())
	}
	return e.change(op)
}

// change carries out steps that change a device.
func (e *executor) change(op plan.Op) error {
	switch o := op.(type) {
	case plan.SetMTU:
		return e.set(o.Device, 0, 0, mtu(o.MTU))
	case plan.SetMAC:
		return e.set(o.Device, 0, 0, mac(o.MAC))
	case plan.SetUp:
		return e.setUp(o.Device, o.Up)
	case plan.SetMaster:
		return e.setMaster(o.Device, o.To)
	case plan.SetLinkLocal:
		return e.on(o.Device, func(index int) error { return e.route.setLinkLocal(index, o.On) })
	case plan.SetBridgePort:
		return e.on(o.Device, func(index int) error { return e.route.setBridgePort(index, bridgePortAttributes[o.Flag], o.On) })
	case plan.SetVLANFiltering:
		return e.setVLANFiltering()
	case plan.AddMember:
		return e.on(o.Device, func(index int) error {
			return e.route.changeMember(unix.RTM_SETLINK, index, o.Device == plan.BridgeName, o.Member)
		})
	case plan.DeleteMember:
		return e.on(o.Device, func(index int) error {
			return ignore(e.route.changeMember(unix.RTM_DELLINK, index, o.Device == plan.BridgeName, plan.Member{VLAN: o.VLAN}), unix.ENOENT)
		})
	case plan.AddAddress:
		return e.on(o.Device, func(index int) error {
			return e.route.changeAddress(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, index, o.Device, o.Prefix)
		})
	case plan.DeleteAddress:
		return e.on(o.Device, func(index int) error {
			return ignore(e.route.changeAddress(unix.RTM_DELADDR, 0, index, o.Device, o.Prefix), unix.EADDRNOTAVAIL)
		})
	}
	return fmt.Errorf("plain Linux knows no step of type %T", op)
}

var bridgePortAttributes = map[plan.BridgePortFlag]int{
	plan.Isolated: nl.IFLA_BRPORT_ISOLATED, plan.PortLearning: nl.IFLA_BRPORT_LEARNING, plan.NeighSuppress: nl.IFLA_BRPORT_NEIGH_SUPPRESS,
}

func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

func mtu(n int) *nl.RtAttr { return nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(n))) }

func master(index int) *nl.RtAttr {
	return nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(index)))
}

func mac(m plan.MAC) *nl.RtAttr { return nl.NewRtAttr(unix.IFLA_ADDRESS, m[:]) }
