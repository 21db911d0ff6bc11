package lab

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// One connection carries one request: a frame with the request, then frames both ways until the server's exit frame.
// A frame is its kind (1 byte), its length (4 bytes, big endian) and its payload. A client that closes the connection
// before the exit frame cancels the request.
const (
	frameRequest  = 'R' // client: request as JSON
	frameStdin    = 'I' // client: bytes for the program, or for the far end
	frameStdinEnd = 'E' // client: there are no more
	frameStdout   = 'O' // server
	frameStderr   = '2' // server
	frameExit     = 'X' // server: response as JSON, the last frame
)

const maxFrame = 1 << 20

// Operations of a request.
const (
	opBuild     = "build"     // guest: make the nodes, links and services; progress on stdout
	opConfigure = "configure" // node: addresses, sysctls, services; its links are in place
	opExec      = "exec"      // run Argv
	opDial      = "dial"      // connect to Address over TCP from the node
	opRead      = "read"      // the file Path on stdout
	opWrite     = "write"     // stdin into the file Path
	opService   = "service"   // Action on Service
	opLink      = "link"      // set the port Port up or down
	opPower     = "power"     // guest: switch the node Target off or on
	opPort      = "port"      // guest: pull the port Port of the node Target, or put it back
	opRecable   = "recable"   // guest: exchange what the two leaf ports Ends are cabled to
	opHub       = "hub"       // guest: have the cables of the two leaf ports Ends meet in a hub, or take it out
	opBlackhole = "blackhole" // node: drop all that its front-panel ports send, or no longer
	opPartition = "partition" // guest: take the switch Target off the management network, or put it back
)

type request struct {
	Node    string `json:",omitempty"` // empty is the guest's root namespace
	Op      string
	Argv    []string      `json:",omitempty"`
	Env     []string      `json:",omitempty"`
	Dir     string        `json:",omitempty"`
	Path    string        `json:",omitempty"`
	Mode    uint32        `json:",omitempty"`
	Address string        `json:",omitempty"`
	Device  string        `json:",omitempty"`
	Service string        `json:",omitempty"`
	Action  ServiceAction `json:",omitempty"`
	Signal  int           `json:",omitempty"`
	Port    string        `json:",omitempty"`
	Target  string        `json:",omitempty"`
	Up      bool          `json:",omitempty"`
	Ends    [2]Endpoint
}

// response ends a request. Error is empty for a program that ran, whatever its exit code.
type response struct {
	Exit  int
	Error string `json:",omitempty"`
}

// framer reads and writes frames. Writing is safe for concurrent use.
type framer struct {
	rw io.ReadWriter
	mu sync.Mutex
}

func (f *framer) write(kind byte, payload []byte) error {
	if len(payload) > maxFrame {
		return fmt.Errorf("write frame: %d bytes are more than %d", len(payload), maxFrame)
	}
	frame := make([]byte, 5+len(payload))
	frame[0] = kind
	binary.BigEndian.PutUint32(frame[1:], uint32(len(payload)))
	copy(frame[5:], payload)
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.rw.Write(frame)
	return err
}

func (f *framer) read() (kind byte, payload []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(f.rw, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxFrame {
		return 0, nil, fmt.Errorf("read frame: %d bytes are more than %d", n, maxFrame)
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(f.rw, payload); err != nil {
		return 0, nil, fmt.Errorf("read frame: %w", noEOF(err))
	}
	return head[0], payload, nil
}

// noEOF marks an end within a frame.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (f *framer) writeJSON(kind byte, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return f.write(kind, text)
}

func (f *framer) readRequest() (request, error) {
	kind, payload, err := f.read()
	if err != nil {
		return request{}, err
	}
	if kind != frameRequest {
		return request{}, fmt.Errorf("read request: frame of kind %q", kind)
	}
	var req request
	if err := json.Unmarshal(payload, &req); err != nil {
		return request{}, fmt.Errorf("decode request: %w", err)
	}
	return req, nil
}

// frameWriter writes to the other side as frames of one kind.
type frameWriter struct {
	framer *framer
	kind   byte
}

func (w frameWriter) Write(p []byte) (int, error) {
	for n := 0; n < len(p); {
		chunk := p[n:min(len(p), n+64<<10)]
		if err := w.framer.write(w.kind, chunk); err != nil {
			return n, err
		}
		n += len(chunk)
	}
	return len(p), nil
}

// feed passes the client's input frames to w until they end. A lost connection is reported by cancel.
func (f *framer) feed(w io.WriteCloser, cancel func()) {
	open := true
	for {
		kind, payload, err := f.read()
		if err != nil {
			if open {
				w.Close()
			}
			cancel()
			return
		}
		switch {
		case kind == frameStdin && open:
			if _, err := w.Write(payload); err != nil {
				w.Close()
				open = false // the program does not read; what else comes is dropped
			}
		case kind == frameStdinEnd && open:
			w.Close()
			open = false
		}
	}
}

// drainGrace is how long output is still passed on after a program ended whose children keep its output open.
const drainGrace = 50 * time.Millisecond
