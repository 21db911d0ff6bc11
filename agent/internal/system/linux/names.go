package linux

import (
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Names translates between the planner's names of devices and those of a network OS whose own daemons make them. Devices that are
// called the same on both sides translate to themselves.
type Names interface {
	// Device is what the network OS calls what the planner calls by this name.
	Device(planned string) string
	// Planned is the reverse; kind is the kernel's word for what the device is, and vni that of a VXLAN device.
	Planned(device, kind string, vni uint32) string
}

// plain are the names of a system without daemons of its own.
type plain struct{}

func (plain) Device(planned string) string              { return planned }
func (plain) Planned(device, _ string, _ uint32) string { return device }

// links lists the devices by the planner's names.
func (s *System) links() (map[int]link, error) {
	links, err := s.route.links()
	if err != nil {
		return nil, err
	}
	for i, l := range links {
		links[i] = s.planned(l)
	}
	return links, nil
}

func (s *System) planned(l link) link {
	var vni uint32
	if l.kind == "vxlan" {
		vni = l.data.uint32(nl.IFLA_VXLAN_ID)
	}
	l.name = s.names.Planned(l.name, l.kind, vni)
	return l
}

// sysctl is the path of a setting by the name that the network OS has for its device.
func (s *System) sysctl(path string) string {
	parts := strings.Split(path, "/")
	if len(parts) == 5 && parts[2] == "conf" && parts[3] != "all" && parts[3] != "default" {
		parts[3] = s.names.Device(parts[3])
	}
	return strings.Join(parts, "/")
}

// Table is the routing table that a VRF has, by the planner's name for it.
func (s *System) Table(vrf string) (uint32, error) {
	l, err := s.route.device(s.names.Device(vrf))
	if err != nil {
		return 0, err
	}
	return l.data.uint32(nl.IFLA_VRF_TABLE), nil
}

// Device is what is known of one device.
type Device struct {
	Up     bool
	MTU    int
	Master string // by the planner's name
	VNI    uint32 // of a VXLAN device
}

// Device looks a device up by the planner's name. There is none: exists is false.
func (s *System) Device(name string) (d Device, exists bool, err error) {
	device := s.names.Device(name)
	if _, err := s.route.indexOf(device); err != nil {
		return Device{}, false, ignoreMissing(err)
	}
	l, err := s.route.device(device)
	if err != nil {
		return Device{}, false, ignoreMissing(err)
	}
	d = Device{Up: l.up, MTU: l.mtu}
	if l.kind == "vxlan" {
		d.VNI = l.data.uint32(nl.IFLA_VXLAN_ID)
	}
	if l.master != 0 {
		master, err := s.route.deviceAt(l.master)
		if err != nil {
			return Device{}, false, ignoreMissing(err)
		}
		d.Master = s.planned(master).name
	}
	return d, true, nil
}

var _ Names = plain{}

// ignoreMissing takes a device that is not there for no error.
func ignoreMissing(err error) error { return ignore(err, unix.ENODEV) }
