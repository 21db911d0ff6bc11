package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/pointsman/pointsman/test/lab/debroot"
)

// A fabric's process listens on a Unix socket, so that another process of the same user can use the fabric. A connection
// starts with one word; "control" passes it on to the guest.

const (
	wordControl  = 'C' // a connection to the guest's control server
	wordTopology = 'T' // the topology as JSON
	wordDown     = 'D' // end the fabric; answered by the connection's end
)

// ErrNotRunning says that no lab runs.
var ErrNotRunning = errors.New("no lab is running (start one with: lab up)")

// DefaultSocket is where `lab up` lets other processes find its fabric: $XDG_RUNTIME_DIR, else the cache directory.
func DefaultSocket() (string, error) {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "pointsman-lab.sock"), nil
	}
	cache, err := debroot.CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "lab.sock"), nil
}

type controlSocket struct {
	listener net.Listener
	path     string
	down     chan struct{} // delivers when another process asked for the fabric's end
}

// listen serves Attach. A socket that a killed process left is replaced, one that answers is not.
func (f *Fabric) listen(path string) (*controlSocket, error) {
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return nil, fmt.Errorf("a lab is running already (%s); end it with: lab down", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	c := &controlSocket{listener: listener, path: path, down: make(chan struct{}, 1)}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go f.serveAttached(c, conn)
		}
	}()
	return c, nil
}

func (c *controlSocket) close() error { return c.listener.Close() }

func (f *Fabric) serveAttached(c *controlSocket, conn net.Conn) {
	defer conn.Close()
	var word [1]byte
	if _, err := conn.Read(word[:]); err != nil {
		return
	}
	switch word[0] {
	case wordControl:
		guest, err := f.dial(context.Background())
		if err != nil {
			return
		}
		defer guest.Close()
		go func() {
			defer guest.Close() // a client that goes away cancels its request
			_, _ = io.Copy(guest, conn)
		}()
		_, _ = io.Copy(conn, guest)
	case wordTopology:
		_ = json.NewEncoder(conn).Encode(f.Topology)
	case wordDown:
		select {
		case c.down <- struct{}{}:
		default:
		}
		<-f.Done()
	}
}

// DownRequested delivers when another process asked for the end of this fabric; who called Up then calls Down.
func (f *Fabric) DownRequested() <-chan struct{} {
	if f.control == nil {
		return nil
	}
	return f.control.down
}

// Attach returns the fabric that another process of this user runs. Its Down ends nothing but this process's own forwards;
// RequestDown ends the fabric.
func Attach(ctx context.Context, socket string) (*Fabric, error) {
	connect := func(ctx context.Context, word byte) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", socket)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotRunning, err)
		}
		if _, err := conn.Write([]byte{word}); err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	}
	conn, err := connect(ctx, wordTopology)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var t Topology
	if err := json.NewDecoder(conn).Decode(&t); err != nil {
		return nil, fmt.Errorf("read the running lab's topology: %w", err)
	}
	return &Fabric{Topology: &t, dial: func(ctx context.Context) (net.Conn, error) { return connect(ctx, wordControl) }}, nil
}

// RequestDown asks the process that runs the fabric to end it and waits until it has.
func RequestDown(ctx context.Context, socket string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := conn.Write([]byte{wordDown}); err != nil {
		return err
	}
	_, _ = conn.Read(make([]byte, 1))
	return context.Cause(ctx)
}
