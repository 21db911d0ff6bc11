package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// do makes one request and waits for its end.
func (f *Fabric) do(ctx context.Context, req request, stdin io.Reader, stdout, stderr io.Writer) (response, error) {
	conn, err := f.dial(ctx)
	if err != nil {
		return response{}, fmt.Errorf("reach the guest: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	resp, err := converse(&framer{rw: conn}, req, stdin, writerOr(stdout), writerOr(stderr))
	if err != nil && ctx.Err() != nil {
		return resp, context.Cause(ctx)
	}
	return resp, err
}

// converse is the client's half of one request.
func converse(f *framer, req request, stdin io.Reader, stdout, stderr io.Writer) (response, error) {
	if err := f.writeJSON(frameRequest, req); err != nil {
		return response{}, err
	}
	go func() {
		if stdin != nil {
			if _, err := io.Copy(frameWriter{f, frameStdin}, stdin); err != nil {
				return // the connection is gone, which the reader below finds out
			}
		}
		_ = f.write(frameStdinEnd, nil)
	}()
	for {
		kind, payload, err := f.read()
		if err != nil {
			return response{}, fmt.Errorf("the guest went away: %w", noEOF(err))
		}
		switch kind {
		case frameStdout:
			_, err = stdout.Write(payload)
		case frameStderr:
			_, err = stderr.Write(payload)
		case frameExit:
			var resp response
			if err := json.Unmarshal(payload, &resp); err != nil {
				return response{}, fmt.Errorf("decode response: %w", err)
			}
			if resp.Error != "" {
				return resp, errors.New(resp.Error)
			}
			return resp, nil
		}
		if err != nil {
			return response{}, fmt.Errorf("pass output on: %w", err)
		}
	}
}

// tunnel makes a dial request and returns the connection that it carries.
func (f *Fabric) tunnel(ctx context.Context, req request) (net.Conn, error) {
	conn, err := f.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("reach the guest: %w", err)
	}
	near, far := net.Pipe()
	connected := make(chan error, 1)
	var once sync.Once
	go func() {
		defer far.Close()
		defer conn.Close()
		_, err := converse(&framer{rw: conn}, req, far, writerFunc(func(p []byte) (int, error) {
			once.Do(func() { connected <- nil }) // the first frame is empty and says that the far end answered
			if len(p) == 0 {
				return 0, nil
			}
			return far.Write(p)
		}), io.Discard)
		once.Do(func() { connected <- err })
	}()
	select {
	case err := <-connected:
		if err != nil {
			return nil, fmt.Errorf("dial %s from %s: %w", req.Address, nodeOr(req.Node), err)
		}
		return near, nil
	case <-ctx.Done():
		conn.Close()
		near.Close()
		return nil, context.Cause(ctx)
	}
}

// join passes bytes between two connections until both directions ended, or one failed.
func join(a, b net.Conn) {
	var group sync.WaitGroup
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		group.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			if half, ok := pair[0].(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			} else {
				pair[0].Close()
			}
		})
	}
	group.Wait()
}
