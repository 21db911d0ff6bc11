package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/test/lab/swstate"
	"github.com/pointsman/pointsman/test/lab/uml"
)

// fabricMode is the mode of a guest that holds a fabric.
const fabricMode = "fabric"

// Main takes over if this process is the init of a guest or of a node in it, and never returns then. Otherwise it does
// nothing. Every program that calls Up calls it first thing in main (or TestMain).
func Main() {
	if filepath.Base(os.Args[0]) == swstate.Program {
		swstate.Main() // in a node that runs SONiC
	}
	if name := os.Getenv(nodeEnv); name != "" && os.Getpid() == 1 {
		err := nodeMain(name)
		fmt.Fprintf(os.Stderr, "node %s: %v\n", name, err)
		os.Exit(1)
	}
	uml.Main(map[string]uml.Mode{uml.CommandMode: uml.RunCommand, fabricMode: fabricMain})
}

// fabricGuest is the guest's half of a Fabric: process 1 of the guest.
type fabricGuest struct {
	spec   guestSpec
	reaper *uml.Reaper

	mu    sync.Mutex
	nodes map[string]*uml.Child // the nodes' processes 1; those that are off have none

	plugs  sync.Mutex                 // held while ports or plugs are pulled
	pulled map[string]map[string]bool // by node: ports that are pulled
	seats  map[Endpoint]seat          // where the far end of each leaf port's cable is
	hubs   map[Endpoint]string        // leaf ports whose cables meet in a hub
	hubbed int                        // hubs so far
}

func fabricMain(raw json.RawMessage) (any, error) {
	g := &fabricGuest{reaper: uml.NewReaper(), nodes: map[string]*uml.Child{}, pulled: map[string]map[string]bool{}}
	if err := json.Unmarshal(raw, &g.spec); err != nil {
		return nil, err
	}
	g.seats, g.hubs = seats(g.spec), map[Endpoint]string{}
	if err := unix.Sethostname([]byte("lab")); err != nil {
		return nil, err
	}
	if err := setUpManagement(); err != nil {
		return nil, fmt.Errorf("set up management network: %w", err)
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", guestAddress, controlPort))
	if err != nil {
		return nil, err
	}
	// The host learns from this connection that requests are served; it has nothing to say on it.
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", gatewayAddress, eventsPort), 10*time.Second)
	if err != nil {
		return nil, fmt.Errorf("report to the host: %w", err)
	}
	defer conn.Close()
	return nil, serve(listener, g.handle)
}

// handler serves one request; what it returns is the exit frame.
type handler func(req request, f *framer, gone context.Context) (response, error)

// errForwarded says that another process has answered the request.
var errForwarded = errors.New("forwarded")

func serve(listener net.Listener, handle handler) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			f := &framer{rw: conn}
			req, err := f.readRequest()
			if err != nil {
				return // a client that went away
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			resp, err := handle(req, f, ctx)
			if errors.Is(err, errForwarded) {
				return
			}
			if err != nil {
				resp.Error = err.Error()
			}
			_ = f.writeJSON(frameExit, resp)
		}()
	}
}

func (g *fabricGuest) handle(req request, f *framer, gone context.Context) (response, error) {
	if req.Node != "" {
		if err := g.forward(req, f); err != nil {
			return response{}, err
		}
		return response{}, errForwarded
	}
	switch req.Op {
	case opBuild:
		return response{}, g.build(frameWriter{f, frameStdout})
	case opPower:
		return response{}, g.power(req.Target, req.Up)
	case opPort:
		return response{}, g.port(req.Target, req.Port, req.Up)
	case opRecable:
		return response{}, g.recable(req.Ends[0], req.Ends[1])
	case opHub:
		return response{}, g.hub(req.Ends[0], req.Ends[1], req.Up)
	case opPartition:
		return response{}, partition(req.Target, req.Up)
	default:
		return handleCommon(g.reaper, req, f, gone)
	}
}

// forward joins the client with the node's process 1.
func (g *fabricGuest) forward(req request, f *framer) error {
	conn, err := g.dialNode(req.Node)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := (&framer{rw: conn}).writeJSON(frameRequest, req); err != nil {
		return err
	}
	client := f.rw.(net.Conn)
	go func() {
		_, _ = io.Copy(untilRefused{conn}, client)
		conn.Close() // the client went away, which cancels the request
	}()
	_, _ = io.Copy(client, conn)
	client.Close()
	return nil
}

// untilRefused drops what its connection takes no more: a node that has answered hangs up without hearing the end of the client's
// input, and its answer is still to be read.
type untilRefused struct{ net.Conn }

func (u untilRefused) Write(p []byte) (int, error) {
	_, _ = u.Conn.Write(p)
	return len(p), nil
}

// ReadFrom hides the connection's own, which would end at the first refusal.
func (u untilRefused) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{u}, r)
}

func (g *fabricGuest) dialNode(name string) (net.Conn, error) {
	if _, err := g.node(name); err != nil {
		return nil, err
	}
	if g.child(name) == nil {
		return nil, fmt.Errorf("node %s is off", name)
	}
	return net.Dial("unix", nodeSocket(name))
}

func (g *fabricGuest) node(name string) (nodeSpec, error) {
	for _, n := range g.spec.Nodes {
		if n.Name == name {
			return n, nil
		}
	}
	return nodeSpec{}, fmt.Errorf("no node %q", name)
}

// build makes the nodes, the links between them, and starts their services. It tells of its progress on out.
func (g *fabricGuest) build(out io.Writer) error {
	pids := map[string]int{}
	for _, n := range g.spec.Nodes {
		pid, err := g.startNode(n)
		if err != nil {
			return fmt.Errorf("start node %s: %w", n.Name, err)
		}
		pids[n.Name] = pid
	}
	fmt.Fprintf(out, "%d nodes\n", len(pids))
	if err := makeLinks(g.spec, pids); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d cables\n", len(g.spec.Cables))

	var group errgroup.Group
	var mu sync.Mutex
	left := len(g.spec.Nodes)
	for _, n := range g.spec.Nodes {
		group.Go(func() error {
			if err := g.configure(n.Name); err != nil {
				return fmt.Errorf("configure node %s: %w", n.Name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			left--
			if left == 0 {
				fmt.Fprintf(out, "services of all nodes\n")
			}
			return nil
		})
	}
	return group.Wait()
}

func (g *fabricGuest) configure(name string) error {
	conn, err := g.dialNode(name)
	if err != nil {
		return err
	}
	defer conn.Close()
	return call(&framer{rw: conn}, request{Op: opConfigure})
}

// call makes a request that has no output.
func call(f *framer, req request) error {
	if err := f.writeJSON(frameRequest, req); err != nil {
		return err
	}
	for {
		kind, payload, err := f.read()
		if err != nil {
			return noEOF(err)
		}
		if kind != frameExit {
			continue
		}
		var resp response
		if err := json.Unmarshal(payload, &resp); err != nil {
			return err
		}
		if resp.Error != "" {
			return errors.New(resp.Error)
		}
		return nil
	}
}

// startNode starts a node's process 1 in new namespaces and returns its process ID in the guest.
func (g *fabricGuest) startNode(n nodeSpec) (int, error) {
	if err := os.MkdirAll(nodeDir(n.Name), 0o755); err != nil {
		return 0, err
	}
	if err := os.Remove(nodeSocket(n.Name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	spec, err := json.Marshal(n)
	if err != nil {
		return 0, err
	}
	if err := writeFile(filepath.Join(nodeDir(n.Name), "spec.json"), 0o600, bytes.NewReader(spec)); err != nil {
		return 0, err
	}
	// The parent makes the socket, so that requests wait in it until the node serves them.
	listener, err := net.Listen("unix", nodeSocket(n.Name))
	if err != nil {
		return 0, err
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	defer func() { _ = listener.Close() }() // the node has the socket
	socket, err := listener.(*net.UnixListener).File()
	if err != nil {
		return 0, err
	}
	defer socket.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	child, err := g.reaper.Start(uml.Process{
		Argv: []string{"/proc/self/exe"}, Dir: "/", Env: append(os.Environ(), nodeEnv+"="+n.Name),
		Files: []*os.File{null, os.Stdout, os.Stderr, socket},
		Attr:  &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWPID},
	})
	if err != nil {
		return 0, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.nodes[n.Name] = child
	return child.Pid, nil
}
