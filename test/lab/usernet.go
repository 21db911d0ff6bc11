package lab

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"

	"github.com/containers/gvisor-tap-vsock/pkg/types"
	"github.com/containers/gvisor-tap-vsock/pkg/virtualnetwork"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// userNetwork is the host's end of the network between host and guest: a TCP/IP stack in this process. It needs no tap and no rights.
type userNetwork struct {
	*virtualnetwork.VirtualNetwork
	host *hostEnd
	stop context.CancelFunc
}

// newUserNetwork returns the network and the guest's end of its cable.
func newUserNetwork(hostPorts []int) (*userNetwork, *os.File, error) {
	logrus.SetOutput(io.Discard) // the library logs there that its connection was closed, which is how it ends
	vn, err := virtualnetwork.New(&types.Configuration{
		MTU: managementMTU, Subnet: managementSubnet, GatewayIP: gatewayAddress, GatewayMacAddress: gatewayMAC,
		GatewayVirtualIPs: []string{HostAddress}, NAT: map[string]string{HostAddress: "127.0.0.1"}, Protocol: types.VfkitProtocol,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("make user-mode network: %w", err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make user-mode network: %w", err)
	}
	for _, fd := range fds {
		// A burst of full-sized frames; the system's limit may give less.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<20)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "host"), os.NewFile(uintptr(fds[1]), "guest")
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("make user-mode network: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	n := &userNetwork{VirtualNetwork: vn, host: &hostEnd{Conn: conn, ports: map[uint16]bool{}}, stop: stop}
	for _, port := range hostPorts {
		n.host.allow(port)
	}
	go func() { _ = vn.AcceptVfkit(ctx, n.host) }() // ends with close
	return n, theirs, nil
}

func (n *userNetwork) close() {
	n.stop()
	n.host.Close()
}

// hostEnd is the host's end of the guest's cable. It lets in what a lab may do and drops the rest: the library behind it
// would resolve names, and dial whatever address is asked for, from the host.
type hostEnd struct {
	net.Conn
	mu    sync.Mutex
	ports map[uint16]bool // of the host's loopback
}

func (h *hostEnd) allow(port int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ports[uint16(port)] = true
}

func (h *hostEnd) Read(p []byte) (int, error) {
	for {
		n, err := h.Conn.Read(p)
		if err != nil || h.allowed(p[:n]) {
			return n, err
		}
	}
}

const (
	etherHeader = 14
	etherARP    = 0x0806
	etherIPv4   = 0x0800
	dnsPort     = 53
)

var (
	gatewayIP = netip.MustParseAddr(gatewayAddress)
	hostIP    = netip.MustParseAddr(HostAddress)
)

// allowed says whether a frame from the guest may reach the network behind: ARP, TCP to the gateway, and TCP to the allowed
// ports of the host's loopback.
func (h *hostEnd) allowed(frame []byte) bool {
	if len(frame) < etherHeader {
		return false
	}
	payload := frame[etherHeader:]
	switch binary.BigEndian.Uint16(frame[12:]) {
	case etherARP:
		return true
	case etherIPv4:
	default:
		return false
	}
	if len(payload) < 20 || payload[9] != unix.IPPROTO_TCP {
		return false
	}
	header := int(payload[0]&0x0f) * 4
	fragment := binary.BigEndian.Uint16(payload[6:]) & 0x3fff // more fragments, or an offset
	if header < 20 || len(payload) < header+4 || fragment != 0 {
		return false
	}
	dst := netip.AddrFrom4([4]byte(payload[16:20]))
	port := binary.BigEndian.Uint16(payload[header+2:])
	switch dst {
	case gatewayIP:
		return port != dnsPort
	case hostIP:
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.ports[port]
	default:
		return false
	}
}
