// Package lldp hears and sends LLDP (IEEE 802.1AB) on the physical ports of a switch or a machine. It owns the packet sockets
// and the tables of neighbours; what a neighbour says is a claim, and nothing here acts on it. The agent's run command calls the
// Listener and, where no other LLDP daemon sends, the Sender; the host speaker calls the Sender.
package lldp

import (
	"fmt"
	"net"

	"github.com/mdlayher/lldp"
	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// etherType of LLDP, IEEE 802.1AB-2016 table 7-2.
const etherType = uint16(lldp.EtherType)

// Group addresses, IEEE 802.1AB-2016 table 7-1. A bridge hands the first two to us and forwards none of them; the third is
// forwarded by a bridge without spanning tree, so it is heard on routed ports only.
var (
	nearestBridge         = net.HardwareAddr{0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e}
	nearestNonTPMRBridge  = net.HardwareAddr{0x01, 0x80, 0xc2, 0x00, 0x00, 0x03}
	nearestCustomerBridge = net.HardwareAddr{0x01, 0x80, 0xc2, 0x00, 0x00, 0x00}
)

// filter accepts untagged LLDP frames that arrive, and not those that this machine sends: a sender of our own or an LLDP daemon
// beside us must not appear as its own neighbour. The kernel drops everything else before it wakes us.
func filter() ([]bpf.RawInstruction, error) {
	raw, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 3},
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(etherType), SkipTrue: 1},
		bpf.RetConstant{Val: maxFrame},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return nil, fmt.Errorf("assemble LLDP filter: %w", err)
	}
	return raw, nil
}

// listen opens a socket for LLDP on one port. It is bound to the EtherType, as a socket for every packet would cost each of them
// a pass through the filter: bridge and VRF both leave link-local frames to the port's own sockets.
func listen(port *net.Interface) (*packet.Conn, error) {
	program, err := filter()
	if err != nil {
		return nil, err
	}
	conn, err := packet.Listen(port, packet.Raw, int(etherType), &packet.Config{Filter: program})
	if err != nil {
		return nil, fmt.Errorf("open LLDP socket on %s: %w", port.Name, err)
	}
	for _, group := range []net.HardwareAddr{nearestBridge, nearestNonTPMRBridge, nearestCustomerBridge} {
		if err := conn.JoinGroup(group); err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("join %s on %s: %w", group, port.Name, err)
		}
	}
	return conn, nil
}

// orphaned reports whether a socket hears nothing any more, as its port went away. The port may be back under the number that it had, as one
// that was in another network namespace is, and nobody may have looked in between.
func orphaned(conn *packet.Conn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return true
	}
	lost := false
	err = raw.Control(func(fd uintptr) {
		address, err := unix.Getsockname(int(fd))
		bound, ok := address.(*unix.SockaddrLinklayer)
		lost = err != nil || !ok || bound.Ifindex <= 0
	})
	return err != nil || lost
}
