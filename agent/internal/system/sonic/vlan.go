package sonic

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// errBridge is said where the bridge itself is wrong: swss makes it, and its daemons die where it is not as they made it.
var errBridge = errors.New("the device Bridge is swss's, and is not VLAN-aware: restart swss (systemctl restart swss)")

// awaitBridge waits for vlanmgrd to make the bridge. Only its MTU is ours.
func (e *executor) awaitBridge(b plan.Bridge) error {
	if err := e.await(func(context.Context) (string, error) {
		if _, exists, err := e.Device(plan.BridgeName); err != nil || !exists {
			return "swss has not made the device " + kernelBridge, err
		}
		return "", nil
	}); err != nil {
		return err
	}
	return e.plainly(plan.SetMTU{Device: plan.BridgeName, MTU: b.MTU})
}

// addVLAN makes a VLAN that bears our mark. Its MAC is never set: that would bounce the whole bridge.
func (e *executor) addVLAN(vlan uint16) error {
	name := plan.SVIName(vlan)
	key := Key{Table: tableVLAN, Name: name}
	if e.has(key) && !e.snapshot().ownsVLAN(name) {
		return fmt.Errorf("%s belongs to somebody else: its description is not %q", key, mark)
	}
	row := Row{"vlanid": strconv.Itoa(int(vlan)), "admin_status": "up", "description": mark}
	if mtu := e.aims.vlanMTU[vlan]; mtu != 0 {
		row["mtu"] = strconv.Itoa(mtu)
	}
	if now := e.snapshot()[key]; now == nil || !now.has(row) {
		if err := e.put(key, row); err != nil {
			return err
		}
	}
	if err := e.restoreVLAN(vlan); err != nil {
		return err
	}
	if err := e.await(func(ctx context.Context) (string, error) {
		if _, there, err := e.stateRow(ctx, Key{Table: stateVLAN, Name: name}); err != nil || !there {
			return fmt.Sprintf("%s has no %s|%s", stateDB, stateVLAN, name), err
		}
		if _, exists, err := e.Device(name); err != nil || !exists {
			return "there is no device " + name, err
		}
		return "", nil
	}); err != nil {
		return err
	}
	return e.plainly(plan.AddMember{Device: plan.BridgeName, Member: plan.Member{VLAN: vlan}}) // vlanmgrd has, unless the kernel forgot
}

// deleteVLAN deletes a VLAN, and first what still hangs on it.
func (e *executor) deleteVLAN(vlan uint16) error {
	name := plan.SVIName(vlan)
	key := Key{Table: tableVLAN, Name: name}
	if e.has(key) && !e.snapshot().ownsVLAN(name) {
		return fmt.Errorf("%s belongs to somebody else: its description is not %q", key, mark)
	}
	config := e.snapshot()
	for _, m := range config.where(tableTunnelMap, "vlan", name) {
		if err := e.dropMap(m, config[m]["vni"]); err != nil {
			return err
		}
	}
	if config[Key{Table: tableVLANInterface, Name: name}] != nil {
		if err := e.deleteSVI(vlan); err != nil {
			return err
		}
	}
	for _, m := range config.of(tableMember) {
		if m.Name == name {
			if err := e.leaveVLAN(plan.DeleteMember{Device: m.Sub, VLAN: vlan}); err != nil {
				return err
			}
		}
	}
	if err := e.restoreVLAN(vlan); err != nil {
		return err
	}
	if err := e.drop(key); err != nil {
		return err
	}
	return e.await(func(ctx context.Context) (string, error) {
		if missing, err := e.forgotten(ctx, Key{Table: stateVLAN, Name: name}); err != nil || missing != "" {
			return missing, err
		}
		if _, exists, err := e.Device(name); err != nil || exists {
			return "there still is a device " + name, err
		}
		return "", nil
	})
}
