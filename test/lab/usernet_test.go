package lab

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// The host must not be talked into dialling anything for the guest but what was allowed. The guest is a second stack at the
// other end of the cable.
func TestGuestReachesOnlyAllowedPorts(t *testing.T) {
	allowed, other := listenEcho(t), listenEcho(t)
	n, cable, err := newUserNetwork([]int{allowed})
	must(t, err)
	defer func() { must(t, n.close()) }()
	end, err := net.FileConn(cable)
	must(t, err)
	must(t, cable.Close())
	guest, err := newNetStack(end, "02:00:00:00:00:02", netip.MustParseAddr(guestAddress))
	must(t, err)
	defer func() { must(t, guest.close()) }()

	for name, tc := range map[string]struct {
		address string
		port    int
		want    bool
	}{
		"allowed port of the host": {HostAddress, allowed, true},
		"another port of the host": {HostAddress, other, false},
		"the gateway":              {gatewayAddress, allowed, false},
		"DNS on the gateway":       {gatewayAddress, 53, false},
		"another address":          {"192.0.2.77", allowed, false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			conn, err := guest.dial(ctx, tc.address, uint16(tc.port))
			if err == nil {
				defer conn.Close()
				_, err = conn.Write([]byte("ping"))
				must(t, err)
				_, err = io.ReadFull(conn, make([]byte, 4))
				must(t, err)
			}
			if (err == nil) != tc.want {
				t.Errorf("error %v, want reached %v", err, tc.want)
			}
		})
	}
	t.Run("host to guest", func(t *testing.T) {
		listener, err := guest.listen(guestAddress, 7)
		must(t, err)
		defer listener.Close()
		go echo(listener)
		conn, err := n.dial(t.Context(), guestAddress, 7)
		must(t, err)
		defer conn.Close()
		_, err = conn.Write([]byte("ping"))
		must(t, err)
		_, err = io.ReadFull(conn, make([]byte, 4))
		must(t, err)
	})
}

// listenEcho returns a port of the host's loopback that sends back what it gets.
func listenEcho(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go echo(listener)
	return listener.Addr().(*net.TCPAddr).Port
}

func echo(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_, _ = io.Copy(conn, conn)
		}()
	}
}
