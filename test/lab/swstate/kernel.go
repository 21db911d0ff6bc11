package swstate

import (
	"fmt"
	"net"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/pointsman/pointsman/test/lab/swstate/core"
)

// The kernel's part of what the daemons do. They run ip(8) and bridge(8); here it is netlink, as a fork costs much in the lab's guest.

const (
	bridgeName = "Bridge"
	// overlayMTU is SONiC's default of ports, VLANs and the bridge. It is given to VXLAN devices as well, where the real vxlanmgrd leaves 1500:
	// the packets of a real switch pass through the ASIC, and those of the lab through these devices.
	overlayMTU = 9100
	vxlanPort  = 4789
)

// isPort tells front-panel ports from other devices.
func isPort(name string) bool { return strings.HasPrefix(name, "Ethernet") }

// change carries out an effect on the kernel; ok is false for one on something else.
func change(effect core.Effect) (ok bool, err error) {
	switch e := effect.(type) {
	case core.ResetKernel:
		err = resetKernel(e.MAC)
	case core.SetMTU:
		err = onDevice(e.Device, func(l netlink.Link) error { return netlink.LinkSetMTU(l, e.MTU) })
	case core.SetMAC:
		err = setMAC(e)
	case core.SetUp:
		err = onDevice(e.Device, func(l netlink.Link) error { return setUp(l, e.Up) })
	case core.SetMaster:
		err = setMaster(e.Device, e.Master)
	case core.AddVRF:
		err = add(&netlink.Vrf{LinkAttrs: netlink.LinkAttrs{Name: e.Name}, Table: e.Table})
	case core.AddVLAN:
		err = addVLAN(e)
	case core.DeleteVLAN:
		err = deleteVLAN(e.VLAN)
	case core.JoinVLAN:
		err = joinVLAN(e.Port, e.VLAN, e.Untagged)
	case core.LeaveVLAN:
		err = onDevice(e.Port, func(l netlink.Link) error { return netlink.BridgeVlanDel(l, e.VLAN, false, false, false, true) })
	case core.AddVXLAN:
		err = addVXLAN(e)
	case core.DeleteDevice:
		err = onDevice(e.Name, netlink.LinkDel)
	case core.Address:
		err = setAddress(e)
	default:
		return false, nil
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", effect, err)
	}
	return true, err
}

func onDevice(name string, do func(netlink.Link) error) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return do(link)
}

func setMAC(e core.SetMAC) error {
	mac, err := net.ParseMAC(e.MAC)
	if err != nil {
		return err
	}
	return onDevice(e.Device, func(l netlink.Link) error { return netlink.LinkSetHardwareAddr(l, mac) })
}

func setUp(link netlink.Link, up bool) error {
	if up {
		return netlink.LinkSetUp(link)
	}
	return netlink.LinkSetDown(link)
}

// add makes a device and sets it up.
func add(link netlink.Link) error {
	if err := netlink.LinkAdd(link); err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

func setMaster(device, master string) error {
	return onDevice(device, func(link netlink.Link) error {
		if master == "" {
			return netlink.LinkSetNoMaster(link)
		}
		return onDevice(master, func(m netlink.Link) error { return netlink.LinkSetMaster(link, m) })
	})
}

func addVLAN(e core.AddVLAN) error {
	mac, err := net.ParseMAC(e.MAC)
	if err != nil {
		return err
	}
	return onDevice(bridgeName, func(b netlink.Link) error {
		if err := netlink.BridgeVlanAdd(b, e.VLAN, false, false, true, false); err != nil {
			return err
		}
		attrs := netlink.LinkAttrs{Name: fmt.Sprintf("Vlan%d", e.VLAN), ParentIndex: b.Attrs().Index, HardwareAddr: mac}
		return add(&netlink.Vlan{LinkAttrs: attrs, VlanId: int(e.VLAN)})
	})
}

func deleteVLAN(vlan uint16) error {
	if err := onDevice(fmt.Sprintf("Vlan%d", vlan), netlink.LinkDel); err != nil {
		return err
	}
	return onDevice(bridgeName, func(b netlink.Link) error { return netlink.BridgeVlanDel(b, vlan, false, false, true, false) })
}

func joinVLAN(port string, vlan uint16, untagged bool) error {
	if err := setMaster(port, bridgeName); err != nil {
		return err
	}
	return onDevice(port, func(link netlink.Link) error {
		if vlan != 1 {
			if err := netlink.BridgeVlanDel(link, 1, false, false, false, true); err != nil {
				return err
			}
		}
		return netlink.BridgeVlanAdd(link, vlan, untagged, untagged, false, true)
	})
}

func addVXLAN(e core.AddVXLAN) error {
	mac, err := net.ParseMAC(e.MAC)
	if err != nil {
		return err
	}
	local := net.ParseIP(e.Local)
	if local == nil {
		return fmt.Errorf("source address %q is none", e.Local)
	}
	link := &netlink.Vxlan{LinkAttrs: netlink.LinkAttrs{Name: e.Name, HardwareAddr: mac, MTU: overlayMTU}, VxlanId: e.VNI, SrcAddr: local, Port: vxlanPort}
	if err := netlink.LinkAdd(link); err != nil {
		return err
	}
	if err := joinVLAN(e.Name, e.VLAN, true); err != nil {
		return err
	}
	if err := netlink.LinkSetLearning(link, false); err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

func setAddress(e core.Address) error {
	address, err := netlink.ParseAddr(e.Prefix)
	if err != nil {
		return err
	}
	return onDevice(e.Device, func(link netlink.Link) error {
		if e.Delete {
			return netlink.AddrDel(link, address)
		}
		return netlink.AddrReplace(link, address)
	})
}
