package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// userNetwork is the host's end of the network between host and guest: gVisor's TCP/IP stack in this process, over a socketpair
// of Ethernet frames. It needs no tap and no rights.
//
// gvisor-tap-vsock would be less code here, but it brings DNS and DHCP servers and dials whatever address a guest asks for;
// and with gopacket's tables it costs every process of this program 0.25 s at its start in the guest, 13 times a boot.
type userNetwork struct {
	*netStack
	mu    sync.Mutex
	ports map[uint16]bool // of the host's loopback
}

// newUserNetwork returns the network and the guest's end of its cable.
func newUserNetwork(hostPorts []int) (*userNetwork, *os.File, error) {
	ours, theirs, err := framePair()
	if err != nil {
		return nil, nil, fmt.Errorf("make user-mode network: %w", err)
	}
	s, err := newNetStack(ours, gatewayMAC, netip.MustParseAddr(gatewayAddress), netip.MustParseAddr(HostAddress))
	if err != nil {
		return nil, nil, fmt.Errorf("make user-mode network: %w", errors.Join(err, ours.Close(), theirs.Close()))
	}
	n := &userNetwork{netStack: s, ports: map[uint16]bool{}}
	for _, port := range hostPorts {
		n.allow(port)
	}
	forwarder := tcp.NewForwarder(s.stack, 0, 1024, n.forward)
	s.stack.SetTransportProtocolHandler(tcp.ProtocolNumber, forwarder.HandlePacket)
	return n, theirs, nil
}

// allow lets the guest reach a port of the host's loopback.
func (n *userNetwork) allow(port int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ports[uint16(port)] = true
}

func (n *userNetwork) allowed(port uint16) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ports[port]
}

// forward joins a connection from the guest with a port of the host's loopback. This is the only place where the guest makes
// the host dial anything.
func (n *userNetwork) forward(r *tcp.ForwarderRequest) {
	id := r.ID()
	if id.LocalAddress != tcpip.AddrFrom4(netip.MustParseAddr(HostAddress).As4()) || !n.allowed(id.LocalPort) {
		r.Complete(true)
		return
	}
	far, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(id.LocalPort))))
	if err != nil {
		r.Complete(true) // nobody listens, and so the guest is told
		return
	}
	defer far.Close()
	var queue waiter.Queue
	endpoint, tcpErr := r.CreateEndpoint(&queue)
	r.Complete(tcpErr != nil)
	if tcpErr != nil {
		return
	}
	near := gonet.NewTCPConn(&queue, endpoint)
	defer func() { _ = near.Close() }()
	join(near, far)
}

// netStack is a TCP/IP stack at the end of a cable.
type netStack struct {
	stack *stack.Stack
	cable net.Conn
	stop  context.CancelFunc
	tasks sync.WaitGroup
}

const (
	nic           = 1
	frameQueue    = 4096
	etherHeader   = 14
	maxFrameBytes = 64 << 10
)

func newNetStack(cable net.Conn, mac string, addresses ...netip.Addr) (*netStack, error) {
	hardware, err := net.ParseMAC(mac)
	if err != nil {
		return nil, err
	}
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	noDelay, sack := tcpip.TCPDelayEnabled(false), tcpip.TCPSACKEnabled(true)
	for _, option := range []tcpip.SettableTransportProtocolOption{&noDelay, &sack} {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, option); err != nil {
			return nil, errors.New(err.String())
		}
	}
	frames := channel.New(frameQueue, managementMTU+etherHeader, tcpip.LinkAddress(hardware))
	frames.LinkEPCapabilities |= stack.CapabilityRXChecksumOffload // a socketpair damages nothing
	if err := s.CreateNIC(nic, ethernet.New(frames)); err != nil {
		return nil, errors.New(err.String())
	}
	for _, a := range addresses {
		address := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(a.As4()), PrefixLen: 24}}
		if err := s.AddProtocolAddress(nic, address, stack.AddressProperties{}); err != nil {
			return nil, errors.New(err.String())
		}
	}
	subnet := netip.MustParsePrefix(managementSubnet)
	destination, err := tcpip.NewSubnet(tcpip.AddrFrom4(subnet.Addr().As4()), tcpip.MaskFromBytes(net.CIDRMask(subnet.Bits(), 32)))
	if err != nil {
		return nil, err
	}
	s.SetRouteTable([]tcpip.Route{{Destination: destination, NIC: nic}})

	ctx, stop := context.WithCancel(context.Background())
	n := &netStack{stack: s, cable: cable, stop: stop}
	n.tasks.Go(func() { n.receive(frames) })
	n.tasks.Go(func() { n.send(ctx, frames) })
	return n, nil
}

func (n *netStack) receive(frames *channel.Endpoint) {
	buf := make([]byte, maxFrameBytes)
	for {
		size, err := n.cable.Read(buf)
		if err != nil {
			return // closed
		}
		packet := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(buf[:size])})
		frames.InjectInbound(0, packet) // the Ethernet header names the protocol
		packet.DecRef()
	}
}

func (n *netStack) send(ctx context.Context, frames *channel.Endpoint) {
	for {
		packet := frames.ReadContext(ctx)
		if packet == nil {
			return
		}
		view := packet.ToView()
		_, err := n.cable.Write(view.AsSlice())
		view.Release()
		packet.DecRef()
		if errors.Is(err, net.ErrClosed) {
			return // other errors lose a frame, as cables do
		}
	}
}

// dial connects to a TCP address of the network.
func (n *netStack) dial(ctx context.Context, address string, port uint16) (net.Conn, error) {
	return gonet.DialContextTCP(ctx, n.stack, fullAddress(address, port), ipv4.ProtocolNumber)
}

func (n *netStack) listen(address string, port uint16) (net.Listener, error) {
	return gonet.ListenTCP(n.stack, fullAddress(address, port), ipv4.ProtocolNumber)
}

func fullAddress(address string, port uint16) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFrom4(netip.MustParseAddr(address).As4()), Port: port}
}

func (n *netStack) close() error {
	n.stop()
	err := n.cable.Close()
	n.stack.Close()
	n.tasks.Wait()
	return err
}

// framePair makes a cable: two ends that pass Ethernet frames, one of them for another process.
func framePair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range fds {
		// A burst of full-sized frames; the system's limit may give less.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<20)
	}
	end, theirs := os.NewFile(uintptr(fds[0]), "host"), os.NewFile(uintptr(fds[1]), "guest")
	defer end.Close()
	if ours, err = net.FileConn(end); err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return ours, theirs, nil
}
