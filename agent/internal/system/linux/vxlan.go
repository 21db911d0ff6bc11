package linux

import (
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// vxlanPort is VXLAN's UDP port (RFC 7348). The kernel's own default is an older one.
const vxlanPort = 4789

// SharedTunnels returns the names of VXLAN devices in a bridge that carry many VNIs each, sorted.
func SharedTunnels() ([]string, error) {
	route, err := newSocket()
	if err != nil {
		return nil, err
	}
	defer route.close()
	links, err := route.links()
	return shared(links), err
}

func shared(links map[int]link) []string {
	var out []string
	for _, l := range links {
		if l.kind == "vxlan" && l.slaveKind == "bridge" && l.data.uint8(nl.IFLA_VXLAN_FLOWBASED) == 1 {
			out = append(out, l.name)
		}
	}
	slices.Sort(out)
	return out
}

// addVNI brings the tunnel up last, when it is in its VLAN only and learns nothing.
func (e *executor) addVNI(vni netmodel.VNI, want plan.VXLAN) error {
	bridge, err := e.find(want.Master)
	if err != nil {
		return err
	}
	index, err := e.ensure(plan.VNIName(vni), "vxlan", 0, []nl.NetlinkRequestData{
		nl.NewRtAttr(nl.IFLA_VXLAN_ID, nl.Uint32Attr(uint32(vni))),
		nl.NewRtAttr(nl.IFLA_VXLAN_LOCAL, want.Local.AsSlice()),
		nl.NewRtAttr(nl.IFLA_VXLAN_LEARNING, nl.Uint8Attr(bit(want.Learning))),
		nl.NewRtAttr(nl.IFLA_VXLAN_PORT, nl.BEUint16Attr(vxlanPort)),
	}, mtu(want.MTU), master(bridge))
	if err != nil {
		return err
	}
	if err := e.route.setLinkLocal(index, want.LinkLocal); err != nil {
		return err
	}
	if err := e.route.setBridgePort(index, nl.IFLA_BRPORT_LEARNING, want.PortLearning); err != nil {
		return err
	}
	if err := e.route.setBridgePort(index, nl.IFLA_BRPORT_NEIGH_SUPPRESS, want.NeighSuppress); err != nil {
		return err
	}
	for _, m := range want.VLANs {
		if err := e.route.changeMember(unix.RTM_SETLINK, index, false, m); err != nil {
			return err
		}
	}
	return e.route.setLink(index, unix.IFF_UP, unix.IFF_UP)
}
