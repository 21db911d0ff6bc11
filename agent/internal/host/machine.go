package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"os"
	"slices"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/encoding/protojson"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// Machine is the machine file: all that a machine must know of its network.
type Machine struct {
	Machine    string
	Allocation string
	Hostname   string
	ASN        uint32
	Addresses  []netip.Prefix
	Uplinks    []Uplink
	MTU        int
}

// Uplink names an interface by name or by MAC; the MAC wins, since names change with the installed system.
type Uplink struct {
	Name    string
	MAC     string
	PeerASN uint32
}

// errNoMachine says that there is no machine file: the machine is not allocated.
var errNoMachine = errors.New("no machine file")

// readMachine reads the machine file.
func readMachine(path string) (Machine, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return Machine{}, errNoMachine
	}
	if err != nil {
		return Machine{}, fmt.Errorf("read machine file: %w", err)
	}
	m, err := parseMachine(text)
	if err != nil {
		return Machine{}, fmt.Errorf("read machine file %s: %w", path, err)
	}
	return m, nil
}

// parseMachine checks everything: a file that is half right changes nothing.
func parseMachine(text []byte) (Machine, error) {
	var c apiv1.MachineConfig
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, &c); err != nil {
		return Machine{}, err
	}
	m := Machine{Machine: c.GetMachine(), Allocation: c.GetAllocation(), Hostname: c.GetHostname(), ASN: c.GetAsn(), MTU: int(c.GetMtu())}
	var errs []error
	if m.ASN == 0 {
		errs = append(errs, errors.New("asn: is missing"))
	}
	if m.MTU != 0 && (m.MTU < 1280 || m.MTU > 9216) {
		errs = append(errs, fmt.Errorf("mtu: %d is not within 1280 and 9216", m.MTU))
	}
	for i, text := range c.GetAddresses() {
		p, err := hostPrefix(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("addresses[%d]: %w", i, err))
			continue
		}
		m.Addresses = append(m.Addresses, p)
	}
	slices.SortFunc(m.Addresses, netip.Prefix.Compare)
	m.Addresses = slices.Compact(m.Addresses)
	for i, u := range c.GetUplinks() {
		up := Uplink{Name: u.GetName(), MAC: u.GetMac(), PeerASN: u.GetSwitchAsn()}
		if err := up.check(m.ASN); err != nil {
			errs = append(errs, fmt.Errorf("uplinks[%d]%w", i, err))
		}
		m.Uplinks = append(m.Uplinks, up)
	}
	return m, errors.Join(errs...)
}

func (u Uplink) check(own uint32) error {
	if u.Name == "" && u.MAC == "" {
		return errors.New(": name or mac is needed")
	}
	if len(u.Name) >= unix.IFNAMSIZ {
		return fmt.Errorf(".name: %q is longer than an interface's name", u.Name)
	}
	if _, err := net.ParseMAC(u.MAC); u.MAC != "" && err != nil {
		return fmt.Errorf(".mac: %q is not a MAC address, such as 02:00:5e:10:00:01", u.MAC)
	}
	if u.PeerASN != 0 && u.PeerASN == own {
		return fmt.Errorf(".switchAsn: %d is the machine's own ASN", own)
	}
	return nil
}

// hostPrefix reads a host address, with or without its length.
func hostPrefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if a, bare := netip.ParseAddr(text); bare == nil && a.Zone() == "" {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	switch a := p.Addr(); {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%q is not an address, such as 10.1.0.5/32", text)
	case p.Bits() != a.BitLen():
		return netip.Prefix{}, fmt.Errorf("%s is not a host address; write %s/%d", text, a, a.BitLen())
	case a.Is4In6() || !a.IsGlobalUnicast():
		return netip.Prefix{}, fmt.Errorf("%s is not a unicast address that others can reach", text)
	}
	return p, nil
}

// routerID is the first IPv4 address, or a number made of the machine's identity, which must only be unique among its leaves'
// neighbours (RFC 6286).
func (m Machine) routerID() netip.Addr {
	for _, p := range m.Addresses {
		if p.Addr().Is4() {
			return p.Addr()
		}
	}
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%s %d", m.Machine, m.ASN) // a hash takes everything
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], h.Sum32()|1)
	return netip.AddrFrom4(raw)
}
