package swstate

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Device is a SONiC switch as its files describe it.
type Device struct {
	Hostname string
	MAC      string
	Ports    []Port
}

// Port is a front-panel port.
type Port struct {
	Name  string // EthernetN, the number of its first lane
	Alias string // as it stands on the front
	Index int
	Lanes int // how many it has
}

// Files are those of /etc/sonic that an agent reads, by path. The configuration is a fresh switch's: its ports, and who it is.
func (d Device) Files() (map[string]string, error) {
	ports := map[string]map[string]string{}
	for _, p := range d.Ports {
		var first int
		if _, err := fmt.Sscanf(p.Name, "Ethernet%d", &first); err != nil {
			return nil, fmt.Errorf("port %q: a SONiC port is called EthernetN", p.Name)
		}
		lanes := strconv.Itoa(first + 1)
		for i := 2; i <= p.Lanes; i++ {
			lanes += "," + strconv.Itoa(first+i)
		}
		ports[p.Name] = map[string]string{
			"alias": p.Alias, "index": strconv.Itoa(p.Index), "lanes": lanes, "speed": strconv.Itoa(25000 * p.Lanes), "mtu": "9100", "admin_status": "down",
		}
	}
	config, err := json.MarshalIndent(map[string]any{
		"DEVICE_METADATA": map[string]any{"localhost": map[string]string{
			"hostname": d.Hostname, "mac": d.MAC, "docker_routing_config_mode": "split-unified", "type": "LeafRouter", "platform": "x86_64-kvm_x86_64-r0", "hwsku": "Force10-S6000",
		}},
		"PORT": ports,
	}, "", "    ")
	if err != nil {
		return nil, err
	}
	return map[string]string{
		ConfigFile:                     string(config) + "\n",
		"/etc/sonic/sonic_version.yml": "build_version: 'SONiC-OS-202411.0'\ndebian_version: '12'\nkernel_version: '6.1.0-29-2-amd64'\nasic_type: vs\nbranch: '202411'\nrelease: '202411'\n",
	}, nil
}
