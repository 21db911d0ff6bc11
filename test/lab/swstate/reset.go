package swstate

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	dummyName = "dummy"
	// localPreference is where vrfmgrd puts the rule of the local table: behind the VRFs'.
	localPreference = 1001
)

// resetKernel leaves nothing of what an earlier run made. Ports stay: they are not the daemons', as a real switch's, which come anew.
func resetKernel(mac string) error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	var errs []error
	for _, l := range links {
		name := l.Attrs().Name
		switch {
		case isPort(name):
			errs = append(errs, resetPort(l))
		case l.Type() == "vxlan", l.Type() == "vrf" && name != "mgmt", name == bridgeName, name == dummyName:
			errs = append(errs, netlink.LinkDel(l)) // a bridge takes its VLANs' devices with it
		}
	}
	errs = append(errs, addBridge(mac), moveLocalRules())
	return errors.Join(errs...)
}

func resetPort(l netlink.Link) error {
	if err := netlink.LinkSetDown(l); err != nil {
		return err
	}
	if l.Attrs().MasterIndex != 0 {
		if err := netlink.LinkSetNoMaster(l); err != nil {
			return err
		}
	}
	addresses, err := netlink.AddrList(l, unix.AF_UNSPEC)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if err := netlink.AddrDel(l, &a); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return err
		}
	}
	return nil
}

// addBridge makes the bridge as vlanmgrd does, with a dummy device in it.
func addBridge(mac string) error {
	address, err := net.ParseMAC(mac)
	if err != nil {
		return fmt.Errorf("DEVICE_METADATA's mac: %w", err)
	}
	filtering := true
	b := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridgeName, HardwareAddr: address, MTU: overlayMTU}, VlanFiltering: &filtering}
	if err := add(b); err != nil {
		return fmt.Errorf("add %s: %w", bridgeName, err)
	}
	if err := netlink.BridgeVlanDel(b, 1, false, false, true, false); err != nil {
		return fmt.Errorf("take VLAN 1 from %s: %w", bridgeName, err)
	}
	if err := netlink.LinkAdd(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: dummyName}}); err != nil {
		return fmt.Errorf("add %s: %w", dummyName, err)
	}
	return setMaster(dummyName, bridgeName)
}

// moveLocalRules puts the local table's rules behind the VRFs', unless that was done before.
func moveLocalRules() error {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		rules, err := netlink.RuleList(family)
		if err != nil {
			return fmt.Errorf("list rules: %w", err)
		}
		for _, r := range rules {
			if r.Priority != 0 && r.Priority != -1 || r.Table != unix.RT_TABLE_LOCAL {
				continue
			}
			last := netlink.NewRule()
			last.Family, last.Table, last.Priority = family, unix.RT_TABLE_LOCAL, localPreference
			if err := netlink.RuleAdd(last); err != nil && !errors.Is(err, unix.EEXIST) {
				return fmt.Errorf("add rule: %w", err)
			}
			first := netlink.NewRule()
			first.Family, first.Table, first.Priority = family, unix.RT_TABLE_LOCAL, 0
			if err := netlink.RuleDel(first); err != nil {
				return fmt.Errorf("delete rule 0: %w", err)
			}
		}
	}
	return nil
}
