package linux

import (
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// addSVI brings the interface up last, in its VRF and complete: an address that came up outside would be in the main table for a
// moment.
func (e *executor) addSVI(vlan uint16, want plan.SVI) error {
	bridge, err := e.find(plan.BridgeName)
	if err != nil {
		return err
	}
	vrf, err := e.find(want.VRF)
	if err != nil {
		return err
	}
	name := plan.SVIName(vlan)
	index, err := e.ensure(name, "vlan", 0, []nl.NetlinkRequestData{nl.NewRtAttr(nl.IFLA_VLAN_ID, nl.Uint16Attr(vlan))},
		nl.NewRtAttr(unix.IFLA_LINK, nl.Uint32Attr(uint32(bridge))), mac(want.MAC), mtu(want.MTU), master(vrf))
	if err != nil {
		return err
	}
	if err := e.route.setLinkLocal(index, want.LinkLocal); err != nil {
		return err
	}
	for _, p := range want.Addresses {
		if err := e.route.changeAddress(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, index, name, p); err != nil {
			return err
		}
	}
	return e.route.setLink(index, unix.IFF_UP, unix.IFF_UP)
}
