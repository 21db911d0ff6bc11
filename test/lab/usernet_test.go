package lab

import (
	"encoding/binary"
	"testing"
)

// The host must not be talked into sending a packet anywhere for the guest.
func TestOnlyTheHostsAllowedPortsAreReached(t *testing.T) {
	h := &hostEnd{ports: map[uint16]bool{2379: true}}
	for name, tc := range map[string]struct {
		frame []byte
		want  bool
	}{
		"ARP":                         {etherFrame(etherARP, make([]byte, 28)), true},
		"etcd on the host":            {ipFrame(6, [4]byte{192, 0, 2, 254}, 2379, 0), true},
		"another port of the host":    {ipFrame(6, [4]byte{192, 0, 2, 254}, 22, 0), false},
		"reply to the gateway":        {ipFrame(6, [4]byte{192, 0, 2, 1}, 40000, 0), true},
		"DNS over TCP":                {ipFrame(6, [4]byte{192, 0, 2, 1}, 53, 0), false},
		"UDP to the gateway":          {ipFrame(17, [4]byte{192, 0, 2, 1}, 53, 0), false},
		"UDP to the host":             {ipFrame(17, [4]byte{192, 0, 2, 254}, 2379, 0), false},
		"the Internet":                {ipFrame(6, [4]byte{198, 51, 100, 7}, 2379, 0), false},
		"another address of the net":  {ipFrame(6, [4]byte{192, 0, 2, 77}, 2379, 0), false},
		"a fragment hides its port":   {ipFrame(6, [4]byte{192, 0, 2, 254}, 2379, 1), false},
		"IPv6":                        {etherFrame(0x86dd, make([]byte, 60)), false},
		"short":                       {make([]byte, 10), false},
		"IPv4 without its TCP header": {etherFrame(etherIPv4, ipFrame(6, [4]byte{192, 0, 2, 254}, 2379, 0)[14:35]), false},
	} {
		if got := h.allowed(tc.frame); got != tc.want {
			t.Errorf("%s: allowed %v, want %v", name, got, tc.want)
		}
	}
}

func etherFrame(kind uint16, payload []byte) []byte {
	frame := make([]byte, etherHeader, etherHeader+len(payload))
	binary.BigEndian.PutUint16(frame[12:], kind)
	return append(frame, payload...)
}

func ipFrame(protocol byte, dst [4]byte, port, fragment uint16) []byte {
	packet := make([]byte, 40)
	packet[0], packet[9] = 0x45, protocol
	binary.BigEndian.PutUint16(packet[6:], fragment)
	copy(packet[16:], dst[:])
	binary.BigEndian.PutUint16(packet[22:], port)
	return etherFrame(etherIPv4, packet)
}
