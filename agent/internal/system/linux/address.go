package linux

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// loopbackLabel marks our IPv4 addresses on lo. The kernel wants the device's name in front.
const loopbackLabel = "lo:pointsman"

// address is an address of global scope.
type address struct {
	prefix netip.Prefix
	label  string
}

// addresses returns those of global scope, by device.
func (s *socket) addresses() (map[int][]address, error) {
	messages, err := s.dump(unix.RTM_GETADDR, unix.RTM_NEWADDR, nl.NewIfAddrmsg(unix.AF_UNSPEC))
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	out := map[int][]address{}
	for _, m := range messages {
		msg := nl.DeserializeIfAddrmsg(m)
		if msg.Scope != unix.RT_SCOPE_UNIVERSE {
			continue
		}
		a, err := parseAttributes(m[msg.Len():])
		if err != nil {
			return nil, fmt.Errorf("list addresses: %w", err)
		}
		raw, ok := a[unix.IFA_LOCAL]
		if !ok {
			raw = a[unix.IFA_ADDRESS]
		}
		if addr, ok := netip.AddrFromSlice(raw); ok {
			index := int(msg.Index)
			out[index] = append(out[index], address{netip.PrefixFrom(addr, int(msg.Prefixlen)), a.text(unix.IFA_LABEL)})
		}
	}
	return out, nil
}

// changeAddress adds an address to a device or, with RTM_DELADDR, deletes it. Duplicate address detection is off: these are the
// switch's own, and traffic waits for them.
func (s *socket) changeAddress(kind uint16, flags, index int, device string, prefix netip.Prefix) error {
	addr := prefix.Addr()
	msg := nl.NewIfAddrmsg(family(addr))
	msg.Prefixlen, msg.Index = uint8(prefix.Bits()), uint32(index)
	parts := []nl.NetlinkRequestData{
		msg, nl.NewRtAttr(unix.IFA_LOCAL, addr.AsSlice()), nl.NewRtAttr(unix.IFA_ADDRESS, addr.AsSlice()),
	}
	switch {
	case addr.Is6():
		msg.IfAddrmsg.Flags = unix.IFA_F_NODAD
	case device == plan.LoopbackName && kind == unix.RTM_NEWADDR && s.label != "":
		parts = append(parts, nl.NewRtAttr(unix.IFA_LABEL, nl.ZeroTerminated(s.label)))
	}
	return s.request(kind, flags, parts...)
}

func family(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
