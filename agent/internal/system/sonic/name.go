package sonic

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/linux"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// What SONiC calls what the planner knows by another name.
const (
	kernelBridge = "Bridge" // vlanmgrd makes it
	// provisionVRF is the planner's "provision": SONiC takes no VRF whose name does not begin with Vrf.
	provisionVRF = "Vrfprovision"
	// ourVTEP and ourNVO are the tunnel and the overlay where the switch has none yet: short, as devices are called vtep-1000.
	ourVTEP = "vtep"
	ourNVO  = "nvo"
)

// vrfRow is the name of a VRF in CONFIG_DB, and of its device.
func vrfRow(planned string) string {
	if planned == plan.ProvisionVRF {
		return provisionVRF
	}
	return planned
}

// plannedVRF is the reverse.
func plannedVRF(row string) string {
	if row == provisionVRF {
		return plan.ProvisionVRF
	}
	return row
}

// names are linux.Names of SONiC. A VNI's device is called after its VLAN, which only CONFIG_DB knows.
type names struct {
	mu      sync.Mutex
	devices map[netmodel.VNI]string
}

func newNames() *names { return &names{devices: map[netmodel.VNI]string{}} }

// learn takes the names of VNIs' devices from the rows.
func (n *names) learn(config rows) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, k := range config.of(tableTunnelMap) {
		if vlan, ok := vlanOf(config[k]["vlan"]); ok {
			n.devices[netmodel.VNI(config[k].number("vni"))] = tunnelDevice(k.Name, vlan)
		}
	}
}

// set notes one.
func (n *names) set(vni netmodel.VNI, device string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.devices[vni] = device
}

// namer is an FRR that looks for devices.
type namer interface {
	NameDevices(device func(planned string) string)
}

// tell says to FRR what SONiC calls devices.
func (n *names) tell(routing linux.FRR) {
	if f, ok := routing.(namer); ok {
		f.NameDevices(n.Device)
	}
}

// tunnelDevice is the name that vxlanmgrd gives to a VNI's device.
func tunnelDevice(vtep string, vlan uint16) string { return fmt.Sprintf("%s-%d", vtep, vlan) }

// Device implements linux.Names.
func (n *names) Device(planned string) string {
	switch planned {
	case plan.BridgeName:
		return kernelBridge
	case plan.ProvisionVRF:
		return provisionVRF
	}
	digits, ok := strings.CutPrefix(planned, "vni")
	vni, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil {
		return planned
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if device, known := n.devices[netmodel.VNI(vni)]; known {
		return device
	}
	return planned
}

var tunnelName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9]{0,9}-[0-9]{1,4}$`)

// Planned implements linux.Names.
func (n *names) Planned(device, kind string, vni uint32) string {
	switch {
	case device == kernelBridge && kind == "bridge":
		return plan.BridgeName
	case device == provisionVRF && kind == "vrf":
		return plan.ProvisionVRF
	case kind == "vxlan" && tunnelName.MatchString(device):
		return plan.VNIName(netmodel.VNI(vni))
	case device == plan.BridgeName, device == plan.ProvisionVRF:
		return device + " (not SONiC's)" // another's device of a name that means something here
	}
	return device
}

// isPort reports whether a device is a front-panel port by its name.
func isPort(device string) bool { return rulePort.holds(device) }
