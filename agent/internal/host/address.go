package host

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// addressLabel marks IPv4 addresses that are ours; the kernel wants a label to begin with the device's name. IPv6 addresses have
// no label: those are remembered only.
const addressLabel = "lo:pointsman"

// addAddresses puts on the loopback interface what is not there.
func addAddresses(wanted []netip.Prefix) error {
	lo, have, err := loopback()
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range wanted {
		if _, ok := have[p]; ok {
			continue
		}
		if err := netlink.AddrAdd(lo, newAddress(p)); err != nil && !errors.Is(err, unix.EEXIST) {
			errs = append(errs, fmt.Errorf("add address %s: %w", p, err))
		}
	}
	return errors.Join(errs...)
}

// removeAddresses takes off the loopback interface what is there.
func removeAddresses(gone []netip.Prefix) error {
	lo, have, err := loopback()
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range gone {
		a, ok := have[p]
		if !ok {
			continue
		}
		if err := netlink.AddrDel(lo, &a); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			errs = append(errs, fmt.Errorf("remove address %s: %w", p, err))
		}
	}
	return errors.Join(errs...)
}

func labelledAddresses() ([]netip.Prefix, error) {
	_, have, err := loopback()
	if err != nil {
		return nil, err
	}
	var out []netip.Prefix
	for p, a := range have {
		if a.Label == addressLabel {
			out = append(out, p)
		}
	}
	return out, nil
}

func newAddress(p netip.Prefix) *netlink.Addr {
	a := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
	if p.Addr().Is4() {
		a.Label = addressLabel
	} else {
		a.Flags = unix.IFA_F_NODAD // nobody else is on the loopback interface
	}
	return a
}

// loopback is the loopback interface, with its addresses. It is set up: without that no address on it answers.
func loopback() (netlink.Link, map[netip.Prefix]netlink.Addr, error) {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return nil, nil, fmt.Errorf("find loopback interface: %w", err)
	}
	if lo.Attrs().RawFlags&unix.IFF_UP == 0 {
		if err := netlink.LinkSetUp(lo); err != nil {
			return nil, nil, fmt.Errorf("set loopback interface up: %w", err)
		}
	}
	list, err := netlink.AddrList(lo, netlink.FAMILY_ALL)
	if err != nil {
		return nil, nil, fmt.Errorf("list addresses: %w", err)
	}
	out := map[netip.Prefix]netlink.Addr{}
	for _, a := range list {
		addr, _ := netip.AddrFromSlice(a.IP)
		ones, _ := a.Mask.Size()
		out[netip.PrefixFrom(addr.Unmap(), ones)] = a
	}
	return lo, out, nil
}
