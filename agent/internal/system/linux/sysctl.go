package linux

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// procSys is where the settings are. It shows those of the caller's network namespace.
const procSys = "/proc/sys"

// devconf is the array of a device's settings that comes with a link dump, so that a thousand settings cost no thousand reads.
type devconf []byte

func (d devconf) at(i int) (string, bool) {
	if len(d) < 4*(i+1) {
		return "", false
	}
	return strconv.FormatInt(int64(int32(nl.NativeEndian().Uint32(d[4*i:]))), 10), true
}

// Places in the arrays: enum IPV4_DEVCONF_* of linux/ip.h, from 1, and DEVCONF_* of linux/ipv6.h, from 0.
var (
	ipv4Places = map[string]int{"rp_filter": 8 - 1, "ignore_routes_with_linkdown": 29 - 1}
	ipv6Places = map[string]int{"accept_ra": 3, "disable_ipv6": 26, "accept_dad": 27, "ignore_routes_with_linkdown": 39}
)

// addSysctls adds the settings of a device.
func (l link) addSysctls(to map[string]string) {
	for name, place := range ipv4Places {
		if value, ok := l.ipv4.at(place); ok {
			to[plan.DeviceSysctl(plan.IPv4, l.name, name)] = value
		}
	}
	for name, place := range ipv6Places {
		if value, ok := l.ipv6.at(place); ok {
			to[plan.DeviceSysctl(plan.IPv6, l.name, name)] = value
		}
	}
}

// readSysctls adds the switch-wide settings.
func readSysctls(to map[string]string) error {
	for _, path := range plan.SwitchSysctls() {
		value, err := os.ReadFile(filepath.Join(procSys, path))
		if err != nil {
			return fmt.Errorf("read sysctl: %w", err)
		}
		to[path] = strings.TrimSpace(string(value))
	}
	return nil
}

func writeSysctl(path, value string) error {
	return os.WriteFile(filepath.Join(procSys, path), []byte(value), 0o644)
}
