package lldp

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mdlayher/lldp"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Bounds on what a stranger may send us.
const (
	maxFrame = 9216 // bytes of one Ethernet frame
	maxID    = 255  // bytes of a chassis or port ID, IEEE 802.1AB-2016 8.5.2.3
	maxText  = 255  // bytes of a name or description that are kept, 8.5.5 to 8.5.7
	header   = 14   // bytes of an Ethernet header
)

var errNotLLDP = errors.New("not an LLDP frame")

// Advert is what one frame says: a neighbour and for how long it counts. A TTL of 0 announces that the neighbour goes.
type Advert struct {
	Neighbour netmodel.Neighbour
	TTL       time.Duration
}

// Parse reads an Ethernet frame from outside. Every string in the result is valid printable UTF-8 of bounded length.
func Parse(frame []byte) (Advert, error) {
	if len(frame) < header || frame[12] != byte(etherType>>8) || frame[13] != byte(etherType&0xff) {
		return Advert{}, errNotLLDP
	}
	unit, err := cutAtEnd(frame[header:])
	if err != nil {
		return Advert{}, err
	}
	var f lldp.Frame
	if err := f.UnmarshalBinary(unit); err != nil {
		return Advert{}, fmt.Errorf("read LLDP unit: %w", err)
	}
	if n := len(f.ChassisID.ID); n == 0 || n > maxID {
		return Advert{}, fmt.Errorf("read LLDP chassis ID: %d bytes", n)
	}
	if n := len(f.PortID.ID); n == 0 || n > maxID {
		return Advert{}, fmt.Errorf("read LLDP port ID: %d bytes", n)
	}
	n := netmodel.Neighbour{
		ChassisID: chassisID(f.ChassisID), ChassisIDSubtype: uint8(f.ChassisID.Subtype),
		PortID: portID(f.PortID), PortIDSubtype: uint8(f.PortID.Subtype),
		SourceMAC: net.HardwareAddr(frame[6:12]).String(),
	}
	for _, tlv := range f.Optional {
		switch tlv.Type {
		case lldp.TLVTypePortDescription:
			n.PortDescription = text(tlv.Value)
		case lldp.TLVTypeSystemName:
			n.SystemName = text(tlv.Value)
		case lldp.TLVTypeSystemDescription:
			n.SystemDescription = text(tlv.Value)
		}
	}
	return Advert{Neighbour: n, TTL: f.TTL}, nil
}

// cutAtEnd returns the unit up to and with its End TLV. Short frames are padded to 60 bytes, and the library would read an odd
// padding byte as a broken TLV.
func cutAtEnd(b []byte) ([]byte, error) {
	for at := 0; at+2 <= len(b); {
		kind, length := b[at]>>1, int(b[at]&1)<<8|int(b[at+1])
		at += 2 + length
		if at > len(b) {
			break
		}
		if kind == 0 && length == 0 {
			return b[:at], nil
		}
	}
	return nil, errors.New("read LLDP unit: no end")
}

func chassisID(id *lldp.ChassisID) string {
	switch id.Subtype {
	case lldp.ChassisIDSubtypeMACAddress:
		return mac(id.ID)
	case lldp.ChassisIDSubtypeNetworkAddress:
		return networkAddress(id.ID)
	}
	return text(id.ID)
}

func portID(id *lldp.PortID) string {
	switch id.Subtype {
	case lldp.PortIDSubtypeMACAddress:
		return mac(id.ID)
	case lldp.PortIDSubtypeNetworkAddress:
		return networkAddress(id.ID)
	}
	return text(id.ID)
}

func mac(b []byte) string {
	if len(b) != 6 {
		return hex.EncodeToString(b)
	}
	return net.HardwareAddr(b).String()
}

// networkAddress reads an IANA address family number and an address (IEEE 802.1AB-2016 8.5.2.2).
func networkAddress(b []byte) string {
	if a, ok := netip.AddrFromSlice(b[1:]); ok && (b[0] == 1 && a.Is4() || b[0] == 2 && a.Is6()) {
		return a.String()
	}
	return hex.EncodeToString(b)
}

// text keeps what can be printed and stored; some senders end their strings with a NUL. Bytes that are no text become hex.
func text(b []byte) string {
	s := strings.TrimSpace(strings.TrimRight(string(b), "\x00"))
	if !utf8.ValidString(s) {
		s = hex.EncodeToString(b)
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return -1
	}, s)
	for len(s) > maxText {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}
