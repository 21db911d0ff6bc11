package linux

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// Numbers of linux/if_bridge.h and linux/rtnetlink.h.
const (
	bridgeFlags      = 0 // IFLA_BRIDGE_FLAGS
	bridgeVLANInfo   = 2 // IFLA_BRIDGE_VLAN_INFO
	bridgeFlagMaster = 1
	bridgeFlagSelf   = 2
	vlanInfoPVID     = 1 << 1
	vlanInfoUntagged = 1 << 2
	extBridgeVLAN    = 1 << 1 // RTEXT_FILTER_BRVLAN
)

// members returns the VLANs of bridge ports, and of bridges themselves, by device, sorted.
func (s *socket) members() (map[int][]plan.Member, error) {
	messages, err := s.dump(unix.RTM_GETLINK, unix.RTM_NEWLINK,
		nl.NewIfInfomsg(unix.AF_BRIDGE), nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(extBridgeVLAN)))
	if err != nil {
		return nil, fmt.Errorf("list VLANs of bridge ports: %w", err)
	}
	out := map[int][]plan.Member{}
	for _, m := range messages {
		if len(m) < unix.SizeofIfInfomsg {
			return nil, fmt.Errorf("list VLANs of bridge ports: message of %d bytes is too short", len(m))
		}
		a, err := parseAttributes(m[unix.SizeofIfInfomsg:])
		if err != nil {
			return nil, fmt.Errorf("list VLANs of bridge ports: %w", err)
		}
		index := int(nl.DeserializeIfInfomsg(m).Index)
		out[index] = append(out[index], parseMembers(a[unix.IFLA_AF_SPEC])...)
		slices.SortFunc(out[index], func(a, b plan.Member) int { return cmp.Compare(a.VLAN, b.VLAN) })
	}
	return out, nil
}

func parseMembers(spec []byte) []plan.Member {
	list, err := nl.ParseRouteAttr(spec)
	if err != nil {
		return nil
	}
	var out []plan.Member
	for _, a := range list {
		if a.Attr.Type&typeMask != bridgeVLANInfo || len(a.Value) < 4 {
			continue
		}
		flags := nl.NativeEndian().Uint16(a.Value)
		out = append(out, plan.Member{
			VLAN: nl.NativeEndian().Uint16(a.Value[2:]), PVID: flags&vlanInfoPVID != 0, Untagged: flags&vlanInfoUntagged != 0,
		})
	}
	return out
}

// changeMember adds a device to a VLAN or, with RTM_DELLINK, deletes it from there. self is for the bridge's own membership.
func (s *socket) changeMember(kind uint16, index int, self bool, m plan.Member) error {
	msg := nl.NewIfInfomsg(unix.AF_BRIDGE)
	msg.Index = int32(index)
	spec := nl.NewRtAttr(unix.IFLA_AF_SPEC|unix.NLA_F_NESTED, nil)
	whose := uint16(bridgeFlagMaster)
	if self {
		whose = bridgeFlagSelf
	}
	spec.AddRtAttr(bridgeFlags, nl.Uint16Attr(whose))
	var flags uint16
	if m.PVID {
		flags |= vlanInfoPVID
	}
	if m.Untagged {
		flags |= vlanInfoUntagged
	}
	info := make([]byte, 4)
	order := nl.NativeEndian()
	order.PutUint16(info, flags)
	order.PutUint16(info[2:], m.VLAN)
	spec.AddRtAttr(bridgeVLANInfo, info)
	return s.request(kind, 0, msg, spec)
}
