package linux

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// socket is a route netlink socket with strict checking, so that dumps are filtered in the kernel. Concurrent requests wait for
// each other.
type socket struct {
	handles map[int]*nl.SocketHandle
	label   string // of our addresses on lo, "" for none
	names   int    // a datagram socket, to ask for a device's index by ioctl
}

// netlinkGetStrictCheck is NETLINK_GET_STRICT_CHK (linux/netlink.h), from Linux 4.20.
const netlinkGetStrictCheck = 12

func newSocket() (*socket, error) {
	s, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	if err := unix.SetsockoptInt(s.GetFd(), unix.SOL_NETLINK, netlinkGetStrictCheck, 1); err != nil {
		s.Close()
		return nil, fmt.Errorf("set strict checking on netlink socket: %w", err)
	}
	if err := s.SetExtAck(true); err != nil { // the kernel's reason in words, where it has one
		s.Close()
		return nil, fmt.Errorf("set extended acknowledgements on netlink socket: %w", err)
	}
	names, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("open socket for device names: %w", err)
	}
	return &socket{handles: map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: s}}, names: names}, nil
}

// indexOf returns a device's index. Netlink would answer with all that there is to say of the device, at several times the cost of
// moving it.
func (s *socket) indexOf(name string) (int, error) {
	request, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(s.names, unix.SIOCGIFINDEX, request)
	}
	if err != nil {
		return 0, fmt.Errorf("look up device %q: %w", name, err)
	}
	return int(request.Uint32()), nil
}

func (s *socket) close() {
	for _, h := range s.handles {
		h.Close()
	}
	_ = unix.Close(s.names)
}

// request sends one message and waits for its acknowledgement.
func (s *socket) request(kind uint16, flags int, parts ...nl.NetlinkRequestData) error {
	_, err := s.execute(kind, flags|unix.NLM_F_ACK, 0, parts)
	return err
}

// get asks one question and returns the answer.
func (s *socket) get(kind, answer uint16, parts ...nl.NetlinkRequestData) ([]byte, error) {
	messages, err := s.execute(kind, 0, answer, parts)
	if err != nil {
		return nil, err
	}
	if len(messages) == 0 {
		return nil, errors.New("the kernel gave no answer")
	}
	return messages[0], nil
}

// dumpTries is how often a dump is begun anew because what it lists changed meanwhile.
const dumpTries = 10

// dump lists everything that fits the header's filter.
func (s *socket) dump(kind, answer uint16, parts ...nl.NetlinkRequestData) ([][]byte, error) {
	var err error
	for range dumpTries {
		var messages [][]byte
		messages, err = s.execute(kind, unix.NLM_F_DUMP, answer, parts)
		if !errors.Is(err, nl.ErrDumpInterrupted) {
			return messages, err
		}
	}
	return nil, err
}

func (s *socket) execute(kind uint16, flags int, answer uint16, parts []nl.NetlinkRequestData) ([][]byte, error) {
	req := nl.NewNetlinkRequest(int(kind), flags)
	req.Sockets = s.handles
	for _, p := range parts {
		req.AddData(p)
	}
	return req.Execute(unix.NETLINK_ROUTE, answer)
}

// attributes are those of a message or of a nest, by type.
type attributes map[uint16][]byte

// nestedFlags are NLA_F_NESTED and NLA_F_NET_BYTEORDER, which some senders set in the type.
const typeMask = 0x3fff

func parseAttributes(b []byte) (attributes, error) {
	list, err := nl.ParseRouteAttr(b)
	if err != nil {
		return nil, fmt.Errorf("parse netlink attributes: %w", err)
	}
	out := attributes{}
	for _, a := range list {
		out[a.Attr.Type&typeMask] = a.Value
	}
	return out, nil
}

// nest returns the attributes inside an attribute; none if it is absent or damaged.
func (a attributes) nest(kind uint16) attributes {
	inner, err := parseAttributes(a[kind])
	if err != nil {
		return attributes{}
	}
	return inner
}

func (a attributes) text(kind uint16) string {
	if v, ok := a[kind]; ok {
		return nl.BytesToString(v)
	}
	return ""
}

func (a attributes) uint32(kind uint16) uint32 {
	if v := a[kind]; len(v) >= 4 {
		return nl.NativeEndian().Uint32(v)
	}
	return 0
}

func (a attributes) uint16(kind uint16) uint16 {
	if v := a[kind]; len(v) >= 2 {
		return nl.NativeEndian().Uint16(v)
	}
	return 0
}

func (a attributes) uint8(kind uint16) uint8 {
	if v := a[kind]; len(v) >= 1 {
		return v[0]
	}
	return 0
}
