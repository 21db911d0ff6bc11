package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pointsman/pointsman/test/lab/debroot"
	"github.com/pointsman/pointsman/test/lab/kernel"
	"github.com/pointsman/pointsman/test/lab/uml"
)

// Options say what fabric Up boots.
type Options struct {
	Topology *Topology // nil is Default()
	// Binaries is a directory with the product's programs, seen as /usr/local/bin in every node. With it, switches run
	// `pointsman-agent run` and machines `pointsman-agent host`; without it, no agents.
	Binaries string
	// EtcdPorts are ports of etcd on the host's loopback; they become the endpoints in the agents' configuration.
	EtcdPorts []int
	// HostPorts are further ports of the host's loopback that the guest may reach, at HostAddress.
	HostPorts []int
	// Native builds the fabric in namespaces on the host's own kernel, which must have all that switches need, instead of a guest.
	Native bool
	Memory string    // the guest's memory; empty is sized by the topology
	Log    io.Writer // progress, a line each; nil is none
	Socket string    // where Attach finds the fabric; empty is nowhere
}

// Fabric is a running fabric. Its methods are safe for concurrent use.
type Fabric struct {
	Topology *Topology
	Boot     time.Duration // from Up's call until all services were ready

	dial    func(ctx context.Context) (net.Conn, error) // a connection to the guest's control server
	guest   *uml.Guest                                  // nil if another process runs it
	network *userNetwork
	control *controlSocket

	mu       sync.Mutex
	forwards []net.Listener
	down     bool
}

// Up boots a fabric and returns it when the services of all its nodes run. It lives until Down, or until ctx ends; Down
// must be called in both cases.
func Up(ctx context.Context, o Options) (*Fabric, error) {
	start := time.Now()
	log := progress(o.Log, start)
	if o.Topology == nil {
		o.Topology = Default()
	}
	spec, err := o.spec()
	if err != nil {
		return nil, err
	}
	root, err := debroot.Ensure(ctx, writerOr(o.Log))
	if err != nil {
		return nil, err
	}
	further, err := spec.giveRoots(ctx, writerOr(o.Log))
	if err != nil {
		return nil, err
	}
	f := &Fabric{Topology: o.Topology}
	if err := f.boot(ctx, o, root, further, spec, log); err != nil {
		return nil, errors.Join(fmt.Errorf("boot fabric: %w", err), f.Down())
	}
	f.Boot = time.Since(start)
	log("fabric is up")
	return f, nil
}

func (o Options) spec() (guestSpec, error) {
	if o.Binaries == "" {
		return specFor(o.Topology, "", nil)
	}
	dir, err := filepath.Abs(o.Binaries)
	if err != nil {
		return guestSpec{}, err
	}
	if _, err := os.Stat(filepath.Join(dir, "pointsman-agent")); err != nil {
		return guestSpec{}, fmt.Errorf("find the agent (run make build): %w", err)
	}
	return specFor(o.Topology, dir, o.EtcdPorts)
}

func (f *Fabric) boot(ctx context.Context, o Options, root string, further []string, spec guestSpec, log func(string, ...any)) error {
	network, cable, err := newUserNetwork(append(o.HostPorts, o.EtcdPorts...))
	if err != nil {
		return err
	}
	f.network = network
	defer cable.Close()
	reports, err := network.listen(gatewayAddress, eventsPort)
	if err != nil {
		return err
	}
	defer func() { _ = reports.Close() }()

	config := uml.Config{Root: root, Memory: o.Memory, Native: o.Native, Mode: fabricMode, Spec: spec, Network: cable, ReadOnly: further}
	if o.Native {
		if err := kernel.Native(ctx, root, writerOr(o.Log)); err != nil {
			return err
		}
	} else {
		config.Kernel = kernel.Choose(root, writerOr(o.Log))
	}
	if config.Memory == "" {
		config.Memory = memoryFor(len(spec.Nodes))
	}
	if spec.Binaries != "" {
		config.ReadOnly = append(config.ReadOnly, spec.Binaries)
	}
	if f.guest, err = uml.Boot(ctx, config); err != nil {
		return err
	}
	if err := f.awaitGuest(ctx, reports); err != nil {
		return err
	}
	log("guest has booted")
	f.dial = func(ctx context.Context) (net.Conn, error) {
		return network.dial(ctx, guestAddress, controlPort)
	}
	if _, err := f.do(ctx, request{Op: opBuild}, nil, lineWriter(log), nil); err != nil {
		return err
	}
	if o.Socket != "" {
		if f.control, err = f.listen(o.Socket); err != nil {
			return err
		}
	}
	return nil
}

// awaitGuest waits for the guest's report that it serves requests.
func (f *Fabric) awaitGuest(ctx context.Context, reports net.Listener) error {
	reported := make(chan struct{})
	go func() {
		conn, err := reports.Accept()
		if err == nil {
			close(reported)
			conn.Close()
		}
	}()
	select {
	case <-reported:
		return nil
	case <-f.guest.Done():
		return f.guest.Result(new(any))
	case <-time.After(uml.WaitReady):
		return fmt.Errorf("guest did not report within %v; it printed:\n%s", uml.WaitReady, f.guest.Console())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Down ends the fabric at once and leaves nothing behind. It may be called again.
func (f *Fabric) Down() error {
	f.mu.Lock()
	if f.down {
		f.mu.Unlock()
		return nil
	}
	f.down = true
	forwards := f.forwards
	f.mu.Unlock()
	var err error
	for _, l := range forwards {
		err = errors.Join(err, l.Close())
	}
	if f.control != nil {
		err = errors.Join(err, f.control.close())
	}
	if f.guest != nil {
		err = errors.Join(err, f.guest.Close())
	}
	if f.network != nil {
		err = errors.Join(err, f.network.close())
	}
	return err
}

// Done is closed when the fabric's guest has ended. It is nil for an attached fabric.
func (f *Fabric) Done() <-chan struct{} {
	if f.guest == nil {
		return nil
	}
	return f.guest.Done()
}

// AllowHostPort lets the guest reach one more port of the host's loopback, at HostAddress.
func (f *Fabric) AllowHostPort(port int) {
	if f.network != nil {
		f.network.allow(port)
	}
}

// memoryFor is generous: what no node touches costs the host nothing.
func memoryFor(nodes int) string { return fmt.Sprintf("%dM", 512+128*nodes) }

func progress(w io.Writer, start time.Time) func(string, ...any) {
	w = writerOr(w)
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, "lab: %5.1fs  %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}
}

func writerOr(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// lineWriter passes whole lines to log.
func lineWriter(log func(string, ...any)) io.Writer {
	return writerFunc(func(p []byte) (int, error) {
		for line := range strings.Lines(string(p)) {
			log("%s", strings.TrimSpace(line))
		}
		return len(p), nil
	})
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }
