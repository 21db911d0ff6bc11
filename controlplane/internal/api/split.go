package api

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"time"
)

// splitter serves gRPC and REST on one listener: gRPC's clients begin with the preface of HTTP/2 (RFC 9113, section 3.4), REST's
// with a method of HTTP/1.1. No method begins like the preface, so that a few bytes tell them apart.
type splitter struct {
	root net.Listener
	grpc *handedOver
	rest *handedOver
}

// firstBytes is how long a client may take to show what it speaks.
const firstBytes = 10 * time.Second

// preface is what tells HTTP/2 from a request of HTTP/1.1.
const preface = "PRI "

func split(root net.Listener) *splitter {
	return &splitter{root: root, grpc: newHandedOver(root.Addr()), rest: newHandedOver(root.Addr())}
}

// run accepts until the listener is closed.
func (s *splitter) run() error {
	defer s.grpc.close()
	defer s.rest.close()
	for {
		conn, err := s.root.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			var passing interface{ Temporary() bool } // such as too many open files
			if errors.As(err, &passing) && passing.Temporary() {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			return err
		}
		go s.sort(conn)
	}
}

func (s *splitter) sort(conn net.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(firstBytes))
	read := bufio.NewReader(conn)
	first, err := read.Peek(len(preface))
	if err != nil {
		_ = conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	to := s.rest
	if string(first) == preface {
		to = s.grpc
	}
	to.give(begun{conn, read})
}

// begun is a connection of which the first bytes were looked at.
type begun struct {
	net.Conn
	read *bufio.Reader
}

func (b begun) Read(p []byte) (int, error) { return b.read.Read(p) }

// handedOver is a listener whose connections somebody else accepts.
type handedOver struct {
	address net.Addr
	conns   chan net.Conn
	closed  chan struct{}
	close   func()
}

func newHandedOver(address net.Addr) *handedOver {
	closed := make(chan struct{})
	return &handedOver{address: address, conns: make(chan net.Conn), closed: closed, close: sync.OnceFunc(func() { close(closed) })}
}

func (h *handedOver) give(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.closed:
		_ = c.Close()
	}
}

// Accept waits for a connection.
func (h *handedOver) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept; what is handed over later is closed.
func (h *handedOver) Close() error {
	h.close()
	return nil
}

// Addr is the address of the listener that accepts.
func (h *handedOver) Addr() net.Addr { return h.address }
