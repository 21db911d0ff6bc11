package command

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/pkg/keys"
)

// line is a bad line to a server: it is cut when an answer to a request that was carried out comes along it, once.
type line struct {
	listener net.Listener
	server   string
	carried  func() bool
	cuts     atomic.Int32
}

func (l *line) serve() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.carry(client)
	}
}

func (l *line) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", l.server)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	buf := make([]byte, 4096)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		if l.carried() && l.cuts.CompareAndSwap(0, 1) {
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestALostAnswerIsAskedForAgain: a request that was carried out although its answer got lost is sent again under its id, and
// is not carried out again.
func TestALostAnswerIsAskedForAgain(t *testing.T) {
	s := startServer(t)
	networks := func() int64 {
		r, err := s.etcd.Get(context.Background(), keys.Networks, clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil {
			t.Error(err)
			return 0
		}
		return r.Count
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	bad := &line{listener: listener, server: s.GRPC, carried: func() bool { return networks() > 0 }}
	go bad.serve()
	r := ctl(t.Context(), "--server", listener.Addr().String(), "network", "create", "--prefix", "10.1.0.0/24")
	if r.code != exitOK {
		t.Errorf("exit code %d: %s", r.code, r.err)
	}
	if bad.cuts.Load() != 1 {
		t.Error("no answer was lost: this test proves nothing")
	}
	if n := networks(); n != 1 {
		t.Errorf("one command made %d networks", n)
	}
}
