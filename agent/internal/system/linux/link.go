package linux

import (
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// link is a device as one dump tells it, its kind's and its bridge port's attributes and its sysctls included.
type link struct {
	index, parent, master int
	name, kind, slaveKind string
	ether                 bool
	mtu                   int
	up, operUp            bool
	mac                   plan.MAC
	data, slave           attributes
	ipv4, ipv6            devconf
	noLinkLocal           bool // addrgenmode none
}

// extSkipStats is RTEXT_FILTER_SKIP_STATS: counters are half of a link dump, and nobody here wants them.
const extSkipStats = 1 << 3

func (s *socket) links() (map[int]link, error) {
	messages, err := s.dump(unix.RTM_GETLINK, unix.RTM_NEWLINK,
		nl.NewIfInfomsg(unix.AF_UNSPEC), nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(extSkipStats)))
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	out := make(map[int]link, len(messages))
	for _, m := range messages {
		l, err := parseLink(m)
		if err != nil {
			return nil, fmt.Errorf("list links: %w", err)
		}
		out[l.index] = l
	}
	return out, nil
}

// parseLink reads the body of an RTM_NEWLINK message.
func parseLink(m []byte) (link, error) {
	if len(m) < unix.SizeofIfInfomsg {
		return link{}, fmt.Errorf("link message of %d bytes is too short", len(m))
	}
	msg := nl.DeserializeIfInfomsg(m)
	a, err := parseAttributes(m[unix.SizeofIfInfomsg:])
	if err != nil {
		return link{}, err
	}
	info, families := a.nest(unix.IFLA_LINKINFO), a.nest(unix.IFLA_AF_SPEC)
	l := link{
		index: int(msg.Index), parent: int(a.uint32(unix.IFLA_LINK)), master: int(a.uint32(unix.IFLA_MASTER)),
		name: a.text(unix.IFLA_IFNAME), kind: info.text(nl.IFLA_INFO_KIND), slaveKind: info.text(nl.IFLA_INFO_SLAVE_KIND),
		ether: msg.Type == unix.ARPHRD_ETHER, mtu: int(a.uint32(unix.IFLA_MTU)),
		up: msg.Flags&unix.IFF_UP != 0, operUp: a.uint8(unix.IFLA_OPERSTATE) == operUp,
		data: info.nest(nl.IFLA_INFO_DATA), slave: info.nest(nl.IFLA_INFO_SLAVE_DATA),
		ipv4: devconf(families.nest(unix.AF_INET)[inetConf]), ipv6: devconf(families.nest(unix.AF_INET6)[inet6Conf]),
		noLinkLocal: families.nest(unix.AF_INET6).uint8(inet6AddrGenMode) == addrGenNone,
	}
	copy(l.mac[:], a[unix.IFLA_ADDRESS])
	return l, nil
}

// Numbers of linux/if_link.h and linux/if.h.
const (
	operUp           = 6 // IF_OPER_UP, RFC 2863
	inetConf         = 1 // IFLA_INET_CONF
	inet6Conf        = 2 // IFLA_INET6_CONF
	inet6AddrGenMode = 8 // IFLA_INET6_ADDR_GEN_MODE
	addrGenEUI64     = 0 // IN6_ADDR_GEN_MODE_EUI64
	addrGenNone      = 1 // IN6_ADDR_GEN_MODE_NONE
)

// device looks a device up by name.
func (s *socket) device(name string) (link, error) {
	m, err := s.get(unix.RTM_GETLINK, unix.RTM_NEWLINK, nl.NewIfInfomsg(unix.AF_UNSPEC),
		nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)), nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(extSkipStats)))
	if err != nil {
		return link{}, fmt.Errorf("look up device %q: %w", name, err)
	}
	return parseLink(m)
}

// deviceAt looks a device up by its index.
func (s *socket) deviceAt(index int) (link, error) {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	m, err := s.get(unix.RTM_GETLINK, unix.RTM_NEWLINK, msg, nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(extSkipStats)))
	if err != nil {
		return link{}, fmt.Errorf("look up device %d: %w", index, err)
	}
	return parseLink(m)
}

// newLink creates a device of a kind. flags are those to set, such as IFF_UP.
func (s *socket) newLink(name, kind string, flags uint32, data []nl.NetlinkRequestData, more ...*nl.RtAttr) error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Flags, msg.Change = flags, flags
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated(kind))
	if len(data) > 0 {
		inner := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
		for _, d := range data {
			inner.AddChild(d)
		}
	}
	parts := []nl.NetlinkRequestData{msg, nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)), info}
	for _, m := range more {
		parts = append(parts, m)
	}
	return s.request(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, parts...)
}

// setLink changes attributes of a device. The kernel sets the flags last.
func (s *socket) setLink(index int, flags, change uint32, attrs ...*nl.RtAttr) error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index, msg.Flags, msg.Change = int32(index), flags, change
	parts := []nl.NetlinkRequestData{msg}
	for _, a := range attrs {
		parts = append(parts, a)
	}
	return s.request(unix.RTM_SETLINK, 0, parts...)
}

func (s *socket) deleteLink(index int) error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	return s.request(unix.RTM_DELLINK, 0, msg)
}

// setLinkLocal tells whether the kernel generates a link-local address for a device.
func (s *socket) setLinkLocal(index int, on bool) error {
	mode := uint8(addrGenNone)
	if on {
		mode = addrGenEUI64
	}
	families := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	families.AddRtAttr(unix.AF_INET6, nil).AddRtAttr(inet6AddrGenMode, nl.Uint8Attr(mode))
	return s.setLink(index, 0, 0, families)
}

// setBridgePort changes a property of a bridge port.
func (s *socket) setBridgePort(index int, attr int, on bool) error {
	msg := nl.NewIfInfomsg(unix.AF_BRIDGE)
	msg.Index = int32(index)
	port := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
	port.AddRtAttr(attr, nl.Uint8Attr(bit(on)))
	return s.request(unix.RTM_SETLINK, 0, msg, port)
}

func bit(on bool) uint8 {
	if on {
		return 1
	}
	return 0
}
