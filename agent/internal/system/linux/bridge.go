package linux

import (
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// bridgeData makes a bridge VLAN-aware, with no VLAN that ports get by themselves.
func bridgeData() []nl.NetlinkRequestData {
	return []nl.NetlinkRequestData{
		nl.NewRtAttr(nl.IFLA_BR_VLAN_FILTERING, nl.Uint8Attr(1)),
		nl.NewRtAttr(nl.IFLA_BR_VLAN_DEFAULT_PVID, nl.Uint16Attr(0)),
	}
}

// addBridge gives the bridge its address in the request that creates it: one set later would change the router MAC under the feet
// of whoever had learned the first.
func (e *executor) addBridge(b plan.Bridge) error {
	index, err := e.ensure(plan.BridgeName, "bridge", 0, bridgeData(), mac(b.MAC))
	if err != nil {
		return err
	}
	if err := e.route.setLink(index, 0, 0, mtu(b.MTU)); err != nil { // given at creation, it would follow the ports'
		return err
	}
	if err := e.route.setLinkLocal(index, false); err != nil { // nothing speaks on the bridge itself, only on its SVIs
		return err
	}
	return e.route.setLink(index, unix.IFF_UP, unix.IFF_UP)
}

func (e *executor) setVLANFiltering() error {
	return e.on(plan.BridgeName, func(index int) error {
		msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
		msg.Index = int32(index)
		info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
		info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
		inner := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
		for _, d := range bridgeData() {
			inner.AddChild(d)
		}
		return e.route.request(unix.RTM_NEWLINK, 0, msg, info)
	})
}
