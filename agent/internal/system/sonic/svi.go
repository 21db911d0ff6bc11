package sonic

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// addSVI makes the interface of a VLAN, in its VRF, with its addresses.
func (e *executor) addSVI(vlan uint16, want plan.SVI) error {
	name := plan.SVIName(vlan)
	if err := e.addVLAN(vlan); err != nil {
		return err
	}
	for _, op := range []plan.Op{plan.SetMTU{Device: name, MTU: want.MTU}, plan.SetLinkLocal{Device: name, On: want.LinkLocal}} {
		if err := e.plainly(op); err != nil { // SONiC has no rows for these
			return err
		}
	}
	if err := e.enterVRF(name, vrfRow(want.VRF)); err != nil {
		return err
	}
	for _, p := range want.Addresses {
		if err := e.addAddress(vlan, p); err != nil {
			return err
		}
	}
	if err := e.giveVNI(want.VRF); err != nil {
		return err
	}
	return e.plainly(plan.SetUp{Device: name, Up: true})
}

// enterVRF puts the interface of a VLAN into a VRF that has its object. From another, it is taken out first.
func (e *executor) enterVRF(name, vrf string) error {
	key := Key{Table: tableVLANInterface, Name: name}
	if now, there := e.snapshot()[key]; there && now["vrf_name"] != vrf {
		if err := e.leaveVRF(name); err != nil {
			return err
		}
	}
	if err := e.awaitObject(vrf); err != nil {
		return err
	}
	if err := e.put(key, Row{"vrf_name": vrf}); err != nil {
		return err
	}
	return e.await(func(ctx context.Context) (string, error) {
		ack, there, err := e.stateRow(ctx, Key{Table: stateInterface, Name: name})
		if err != nil || !there || ack["vrf"] != vrf {
			return fmt.Sprintf("%s does not say that %s is in VRF %q", stateDB, name, vrf), err
		}
		device, _, err := e.Device(name)
		if err == nil && device.Master != plannedVRF(vrf) {
			return fmt.Sprintf("the kernel has %s in %q", name, device.Master), nil
		}
		return "", err
	})
}

// leaveVRF deletes the addresses of a VLAN's interface and then the interface, and waits until the ASIC does not route the VLAN.
func (e *executor) leaveVRF(name string) error {
	vlan, _ := vlanOf(name)
	if err := e.drop(append(e.snapshot().subs(tableVLANInterface, name), Key{Table: tableVLANInterface, Name: name})...); err != nil {
		return err
	}
	return e.await(func(ctx context.Context) (string, error) {
		if missing, err := e.forgotten(ctx, Key{Table: stateInterface, Name: name}); err != nil || missing != "" {
			return missing, err
		}
		found, err := e.asic.interfaces.get(ctx)
		if err != nil {
			return "", err
		}
		routers := map[uint16]string{}
		if err := e.nameRouters(ctx, found.vlans, routers); err != nil {
			return "", err
		}
		if _, there := routers[vlan]; there {
			return fmt.Sprintf("%s still routes %s", asicDB, name), nil
		}
		device, _, err := e.Device(name)
		if err == nil && device.Master != "" {
			return fmt.Sprintf("the kernel still has %s in %s", name, device.Master), nil
		}
		return "", err
	})
}

func (e *executor) deleteSVI(vlan uint16) error { return e.leaveVRF(plan.SVIName(vlan)) }

// moveSVI takes the interface of a VLAN into another VRF, with its addresses.
func (e *executor) moveSVI(vlan uint16, vrf string) error {
	name := plan.SVIName(vlan)
	addresses := e.snapshot().subs(tableVLANInterface, name)
	if err := e.leaveVRF(name); err != nil || vrf == "" {
		return err
	}
	if err := e.enterVRF(name, vrfRow(vrf)); err != nil {
		return err
	}
	for _, k := range addresses {
		if err := e.put(k, Row{}); err != nil {
			return err
		}
	}
	return nil
}

// setVLANMTU sets the MTU of a VLAN's interface: in its row for the ASIC, and in the kernel, for which vlanmgrd has no ear.
func (e *executor) setVLANMTU(vlan uint16, o plan.SetMTU) error {
	key := Key{Table: tableVLAN, Name: o.Device}
	if err := e.put(key, Row{"vlanid": strconv.Itoa(int(vlan)), "mtu": strconv.Itoa(o.MTU)}); err != nil {
		return err
	}
	return e.plainly(o)
}

func (e *executor) addAddress(vlan uint16, p netip.Prefix) error {
	name := plan.SVIName(vlan)
	if err := e.put(Key{Table: tableVLANInterface, Name: name, Sub: p.String()}, Row{}); err != nil {
		return err
	}
	return e.await(func(context.Context) (string, error) {
		there, err := hasAddress(name, p)
		if err == nil && !there {
			return fmt.Sprintf("the kernel does not have %s on %s", p, name), nil
		}
		return "", err
	})
}

// deleteAddress deletes an address. One that only the kernel knows of is deleted there.
func (e *executor) deleteAddress(vlan uint16, o plan.DeleteAddress) error {
	key := Key{Table: tableVLANInterface, Name: plan.SVIName(vlan), Sub: o.Prefix.String()}
	if !e.has(key) {
		return e.plainly(o)
	}
	if err := e.drop(key); err != nil {
		return err
	}
	return e.await(func(context.Context) (string, error) {
		there, err := hasAddress(o.Device, o.Prefix)
		if err == nil && there {
			return fmt.Sprintf("the kernel still has %s on %s", o.Prefix, o.Device), nil
		}
		return "", err
	})
}

func hasAddress(device string, p netip.Prefix) (bool, error) {
	i, err := net.InterfaceByName(device)
	if err != nil {
		return false, fmt.Errorf("read addresses of %s: %w", device, err)
	}
	addresses, err := i.Addrs()
	if err != nil {
		return false, fmt.Errorf("read addresses of %s: %w", device, err)
	}
	for _, a := range addresses {
		if a.String() == p.String() {
			return true, nil
		}
	}
	return false, nil
}
