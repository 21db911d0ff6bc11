package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Effect is something that the switch does to the world, for the caller to carry out in order.
type Effect interface{ String() string }

// SetRow writes fields of a row and leaves its other fields alone.
type SetRow struct {
	Key    Key
	Fields Fields
}

func (e SetRow) String() string {
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		fields = append(fields, name+"="+e.Fields[name])
	}
	return fmt.Sprintf("set %s %s", e.Key, strings.Join(fields, " "))
}

// DeleteRow deletes a row.
type DeleteRow struct{ Key Key }

func (e DeleteRow) String() string { return fmt.Sprintf("delete %s", e.Key) }

// ResetKernel makes the kernel what a switch boots with: no VRF but mgmt, no VXLAN device, an empty bridge, ports down and in nothing, and
// the local table's rule behind the VRFs'.
type ResetKernel struct{ MAC string }

func (e ResetKernel) String() string { return "reset the kernel; Bridge has " + e.MAC }

// SetMTU sets a device's MTU.
type SetMTU struct {
	Device string
	MTU    int
}

func (e SetMTU) String() string { return fmt.Sprintf("set %s mtu %d", e.Device, e.MTU) }

// SetMAC sets a device's MAC.
type SetMAC struct{ Device, MAC string }

func (e SetMAC) String() string { return fmt.Sprintf("set %s address %s", e.Device, e.MAC) }

// SetUp sets a device up or down.
type SetUp struct {
	Device string
	Up     bool
}

func (e SetUp) String() string { return fmt.Sprintf("set %s %s", e.Device, upDown(e.Up)) }

// SetMaster puts a device into a VRF, or takes it out of what it is in.
type SetMaster struct{ Device, Master string }

func (e SetMaster) String() string {
	if e.Master == "" {
		return fmt.Sprintf("set %s nomaster", e.Device)
	}
	return fmt.Sprintf("set %s master %s", e.Device, e.Master)
}

// AddVRF makes a VRF and sets it up.
type AddVRF struct {
	Name  string
	Table uint32
}

func (e AddVRF) String() string { return fmt.Sprintf("add vrf %s table %d", e.Name, e.Table) }

// AddVLAN adds a VLAN to the bridge itself and makes its device, up, with the switch's MAC.
type AddVLAN struct {
	VLAN uint16
	MAC  string
}

func (e AddVLAN) String() string { return fmt.Sprintf("add Vlan%d address %s", e.VLAN, e.MAC) }

// DeleteVLAN deletes a VLAN's device and takes the VLAN from the bridge itself.
type DeleteVLAN struct{ VLAN uint16 }

func (e DeleteVLAN) String() string { return fmt.Sprintf("delete Vlan%d", e.VLAN) }

// JoinVLAN puts a port into the bridge, if it is not in it, and into a VLAN there.
type JoinVLAN struct {
	Port     string
	VLAN     uint16
	Untagged bool
}

func (e JoinVLAN) String() string {
	if e.Untagged {
		return fmt.Sprintf("put %s into Bridge, VLAN %d untagged", e.Port, e.VLAN)
	}
	return fmt.Sprintf("put %s into Bridge, VLAN %d", e.Port, e.VLAN)
}

// LeaveVLAN takes a port out of a VLAN. It stays in the bridge.
type LeaveVLAN struct {
	Port string
	VLAN uint16
}

func (e LeaveVLAN) String() string { return fmt.Sprintf("take %s out of VLAN %d", e.Port, e.VLAN) }

// AddVXLAN makes a VXLAN device in the bridge, untagged in its VLAN, and sets it up.
type AddVXLAN struct {
	Name, Local, MAC string
	VNI              int
	VLAN             uint16
}

func (e AddVXLAN) String() string {
	return fmt.Sprintf("add vxlan %s id %d local %s, VLAN %d", e.Name, e.VNI, e.Local, e.VLAN)
}

// DeleteDevice deletes a VRF or a VXLAN device.
type DeleteDevice struct{ Name string }

func (e DeleteDevice) String() string { return "delete " + e.Name }

// Address adds an address to a device, or deletes it.
type Address struct {
	Device, Prefix string
	Delete         bool
}

func (e Address) String() string {
	return fmt.Sprintf("%s address %s %s %s", map[bool]string{true: "delete", false: "add"}[e.Delete], e.Prefix, map[bool]string{true: "from", false: "to"}[e.Delete], e.Device)
}

// Logged is a line that a daemon writes to its log.
type Logged struct{ Daemon, Text string }

func (e Logged) String() string { return e.Daemon + ": " + e.Text }

// Died says that a daemon has ended, and with it the switch: nothing happens any more. On a real one, swss and syncd are restarted
// together, and with them the data plane.
type Died struct{ Daemon, Why string }

func (e Died) String() string { return fmt.Sprintf("%s dies: %s", e.Daemon, e.Why) }

func upDown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}
