package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// SetSysctl writes a value below /proc/sys.
type SetSysctl struct {
	Path, Value string
	For
}

func (o SetSysctl) String() string { return fmt.Sprintf("set sysctl %s %s", o.Path, o.Value) }

// switchSysctls are those of the switch as a whole. What is under "default" is inherited by devices that are created later.
var switchSysctls = map[string]string{
	"net/ipv4/conf/all/forwarding":                      "1",
	"net/ipv6/conf/all/forwarding":                      "1",
	"net/ipv4/conf/all/rp_filter":                       "0", // the larger of "all" and the device's counts
	"net/ipv4/conf/default/rp_filter":                   "0",
	"net/ipv4/conf/all/ignore_routes_with_linkdown":     "1",
	"net/ipv4/conf/default/ignore_routes_with_linkdown": "1",
	"net/ipv6/conf/all/ignore_routes_with_linkdown":     "1",
	"net/ipv6/conf/default/ignore_routes_with_linkdown": "1",
	"net/ipv6/conf/all/keep_addr_on_down":               "1", // an SVI keeps its IPv6 address while its VLAN has no port
	"net/ipv4/tcp_l3mdev_accept":                        "1", // bgpd listens once for all VRFs
	"net/ipv4/udp_l3mdev_accept":                        "0", // VXLAN from inside a VRF reaches no socket
	"net/ipv4/fib_multipath_hash_policy":                "1", // by ports too, so that the flows of two machines spread
	"net/ipv6/fib_multipath_hash_policy":                "1",
}

// Sysctls of one device, below net/ipv4/conf/DEVICE and net/ipv6/conf/DEVICE.
var (
	routedSysctls = map[string]string{
		"ipv4 rp_filter":                   "0", // routes between leaves are asymmetric
		"ipv4 ignore_routes_with_linkdown": "1",
		"ipv6 ignore_routes_with_linkdown": "1",
	}
	portSysctls = map[string]string{
		"ipv6 accept_dad": "0", // duplicate address detection would hold back the session for 1.6 s
		"ipv6 accept_ra":  "0", // a machine's advertisement configures nothing here; FRR reads it by itself
	}
)

// portIPv6 is off on the ports of the bridge, as ifupdown2 has it, too. With addresses of their own they would have connected routes in the
// default VRF, and zebra 8.4.4 confuses those of one prefix once it was restarted: when a port leaves the bridge it deletes an uplink's route to
// fe80::/64 and keeps the port's, bgpd resolves the underlay's next hops by that, and takes them for invalid when the port goes.
const portIPv6 = "ipv6 disable_ipv6"

// SwitchSysctls returns the paths of the switch-wide settings, for backends to observe.
func SwitchSysctls() []string { return slices.Sorted(maps.Keys(switchSysctls)) }

// DeviceSysctl returns the path of a setting of a device.
func DeviceSysctl(family Family, device, name string) string {
	return "net/" + strings.ToLower(string(family)) + "/conf/" + device + "/" + name
}

// deviceSysctl returns the path of a setting that is written "ipv4 rp_filter".
func deviceSysctl(device, setting string) string {
	family, name, _ := strings.Cut(setting, " ")
	return "net/" + family + "/conf/" + device + "/" + name
}

// desireSysctls is called last: it wants settings for every routed device that the others wanted.
func (b *build) desireSysctls() {
	maps.Copy(b.kernel.Sysctls, switchSysctls)
	for name, port := range b.kernel.Ports {
		b.desireDeviceSysctls(name, routedSysctls, portSysctls, map[string]string{portIPv6: disablesIPv6(port)})
	}
	for vrf := range b.kernel.VRFs {
		b.desireDeviceSysctls(vrf, routedSysctls)
	}
	for vlan := range b.kernel.SVIs {
		b.desireDeviceSysctls(SVIName(vlan), routedSysctls)
	}
}

// disablesIPv6 is the value of portIPv6 where a port is.
func disablesIPv6(p Port) string {
	if p.Master == BridgeName {
		return "1"
	}
	return "0"
}

func (b *build) desireDeviceSysctls(device string, sets ...map[string]string) {
	for _, set := range sets {
		for setting, value := range set {
			b.kernel.Sysctls[deviceSysctl(device, setting)] = value
		}
	}
}

// switchSysctls come before anything is created, as new devices inherit from "default".
func (d *difference) switchSysctls() {
	if d.knows(PartSysctls) {
		for _, path := range SwitchSysctls() {
			if value := d.want.Sysctls[path]; d.have.Sysctls[path] != value {
				d.add(SetSysctl{Path: path, Value: value})
			}
		}
	}
}

// deviceSysctls come before ports move and come up, but for those that follow the move. A device that is only now created has inherited
// what "default" says.
func (d *difference) deviceSysctls() {
	if !d.knows(PartSysctls) {
		return
	}
	for _, path := range slices.Sorted(maps.Keys(d.want.Sysctls)) {
		if _, whole := switchSysctls[path]; whole || d.follows(path) {
			continue
		}
		want := d.want.Sysctls[path]
		have, there := d.have.Sysctls[path]
		if have == want || !there && !d.exists(deviceOf(path)) && d.inherited(path) == want {
			continue
		}
		d.add(SetSysctl{path, want, d.servedBy(deviceOf(path))})
	}
}

// follows reports whether a setting is for where a port is: port changes it with the port's place.
func (d *difference) follows(path string) bool {
	device := deviceOf(path)
	_, port := d.want.Ports[device]
	return port && path == deviceSysctl(device, portIPv6)
}

// exists reports whether a device with settings is there.
func (d *difference) exists(device string) bool {
	_, port := d.have.Ports[device]
	_, vrf := d.have.VRFs[device]
	for vlan := range d.have.SVIs {
		if SVIName(vlan) == device {
			return true
		}
	}
	return port || vrf
}

// inherited is what a new device starts with, if we say what it is.
func (d *difference) inherited(path string) string {
	return d.want.Sysctls[strings.Replace(path, "/conf/"+deviceOf(path)+"/", "/conf/default/", 1)]
}

// deviceOf is the device in net/ipv4/conf/DEVICE/setting.
func deviceOf(path string) string { return strings.Split(path, "/")[3] }

// servedBy returns the ports for which a device matters.
func (d *difference) servedBy(device string) For {
	if _, ok := d.want.Ports[device]; ok {
		return For{device}
	}
	for vlan, svi := range d.want.SVIs {
		if SVIName(vlan) == device {
			return d.portsIn(svi.VRF)
		}
	}
	return d.portsIn(device)
}
