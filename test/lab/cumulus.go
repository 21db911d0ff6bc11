package lab

import "fmt"

// cumulusRelease is the release of Cumulus Linux that a node says it is.
const cumulusRelease = "5.9.1"

// makeCumulus gives a node what an agent knows Cumulus Linux by, and ifupdown2's file as it comes with the switch: management and the
// loopback. ifupdown2 and FRR are real; switchd, which carries the kernel into the ASIC, has nothing to do here.
func makeCumulus(node *nodeSpec) {
	node.Files["/etc/lsb-release"] = fmt.Sprintf("DISTRIB_ID=\"Cumulus Linux\"\nDISTRIB_RELEASE=%s\nDISTRIB_DESCRIPTION=\"Cumulus Linux %s\"\n", cumulusRelease, cumulusRelease)
	node.Files["/etc/network/interfaces"] = fmt.Sprintf(`# This file describes the network interfaces available on your system
# and how to activate them. For more information, see interfaces(5).

source /etc/network/interfaces.d/*.intf

# The loopback network interface
auto lo
iface lo inet loopback

# The primary network interface
auto eth0
iface eth0
    address %s
    vrf %s

auto %s
iface %s
    vrf-table auto
`, node.Management, mgmtVRF, mgmtVRF, mgmtVRF)
	// networking.service; management, by which the lab reaches the node, is up already.
	node.Services = append(node.Services, Service{Name: "networking", Command: []string{"ifup", "-a"}, Once: true})
}
