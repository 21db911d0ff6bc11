package sonic

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// vlanmgrd and vrfmgrd run ip(8) and bridge(8) to undo what they did, and die if that fails: of a port that somebody took out of the
// bridge, of a device that somebody deleted. So what is missing in the kernel is put back before its row is deleted.

// restoreMember puts a port back into the bridge and its VLAN.
func (e *executor) restoreMember(member Key) error {
	vlan, _ := vlanOf(member.Name)
	device, exists, err := e.Device(member.Sub)
	if err != nil || !exists {
		return err
	}
	if device.Master != plan.BridgeName {
		if err := e.plainly(plan.SetMaster{Device: member.Sub, From: device.Master, To: plan.BridgeName}); err != nil {
			return err
		}
	}
	untagged := e.snapshot()[member]["tagging_mode"] == "untagged"
	return e.plainly(plan.AddMember{Device: member.Sub, Member: plan.Member{VLAN: vlan, PVID: untagged, Untagged: untagged}})
}

// restoreVLAN makes the device of a VLAN whose row vlanmgrd has acknowledged.
func (e *executor) restoreVLAN(vlan uint16) error {
	name := plan.SVIName(vlan)
	_, exists, err := e.Device(name)
	_, known, errState := e.stateRow(e.ctx, Key{Table: stateVLAN, Name: name})
	if err := errors.Join(err, errState); err != nil || exists || !known {
		return err
	}
	bridge, err := net.InterfaceByName(kernelBridge)
	if err != nil {
		return fmt.Errorf("restore device %s: %w", name, err)
	}
	mac, err := parseMAC(e.snapshot().metadata()["mac"])
	if err != nil {
		return fmt.Errorf("restore device %s: %w", name, err)
	}
	err = netlink.LinkAdd(&netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: name, ParentIndex: bridge.Index, HardwareAddr: mac[:]}, VlanId: int(vlan)})
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("restore device %s: %w", name, err)
	}
	for _, op := range []plan.Op{plan.AddMember{Device: plan.BridgeName, Member: plan.Member{VLAN: vlan}}, plan.SetUp{Device: name, Up: true}} {
		if err := e.plainly(op); err != nil {
			return err
		}
	}
	return nil
}

// passingTable is that of a VRF's device that is only made to be deleted: vrfmgrd numbers up to 5096.
const passingTable = 5999

// restoreVRF makes the device of a VRF whose row vrfmgrd has acknowledged.
func (e *executor) restoreVRF(name string) error {
	_, exists, err := e.Device(name)
	_, known, errState := e.stateRow(e.ctx, Key{Table: "VRF_TABLE", Name: vrfRow(name)})
	if err := errors.Join(err, errState); err != nil || exists || !known {
		return err
	}
	err = netlink.LinkAdd(&netlink.Vrf{LinkAttrs: netlink.LinkAttrs{Name: vrfRow(name)}, Table: passingTable})
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("restore device of VRF %q: %w", name, err)
	}
	return nil
}
