package lab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A client and a server speak over a pipe; the server's handler is the test's.
func TestConversation(t *testing.T) {
	for name, tc := range map[string]struct {
		stdin  io.Reader
		handle handler
		stdout string
		exit   int
		err    string
	}{
		"output and exit code": {
			handle: func(_ request, f *framer, _ context.Context) (response, error) {
				_, _ = frameWriter{f, frameStdout}.Write([]byte("hello"))
				return response{Exit: 3}, nil
			},
			stdout: "hello", exit: 3,
		},
		"input is echoed": {
			stdin: strings.NewReader(strings.Repeat("x", 300<<10)),
			handle: func(_ request, f *framer, _ context.Context) (response, error) {
				r, w := io.Pipe()
				go f.feed(w, func() {})
				_, err := io.Copy(frameWriter{f, frameStdout}, r)
				return response{}, err
			},
			stdout: strings.Repeat("x", 300<<10),
		},
		"error": {
			handle: func(request, *framer, context.Context) (response, error) {
				return response{}, errors.New("no such thing")
			},
			err: "no such thing",
		},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("unix", t.TempDir()+"/s")
			must(t, err)
			defer listener.Close()
			go func() { _ = serve(listener, tc.handle) }()
			conn, err := net.Dial("unix", listener.Addr().String())
			must(t, err)
			defer conn.Close()
			var stdout bytes.Buffer
			resp, err := converse(&framer{rw: conn}, request{Op: opExec}, tc.stdin, &stdout, io.Discard)
			if tc.err == "" {
				must(t, err)
			} else if err == nil || err.Error() != tc.err {
				t.Fatalf("error %v, want %q", err, tc.err)
			}
			if stdout.String() != tc.stdout || resp.Exit != tc.exit {
				t.Errorf("%d bytes of output and exit code %d, want %d and %d", stdout.Len(), resp.Exit, len(tc.stdout), tc.exit)
			}
		})
	}
}

func TestClientGoneCancels(t *testing.T) {
	client, server := net.Pipe()
	gone := make(chan struct{})
	go (&framer{rw: server}).feed(nopCloser{io.Discard}, func() { close(gone) })
	client.Close()
	<-gone
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func FuzzFrame(f *testing.F) {
	f.Add([]byte{'O', 0, 0, 0, 2, 'h', 'i'})
	f.Add([]byte{'R', 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		kind, payload, err := (&framer{rw: bytes.NewBuffer(data)}).read()
		if err != nil {
			return
		}
		var back bytes.Buffer
		must(t, (&framer{rw: &back}).write(kind, payload))
		if diff := cmp.Diff(data[:back.Len()], back.Bytes()); diff != "" {
			t.Error(diff)
		}
	})
}
