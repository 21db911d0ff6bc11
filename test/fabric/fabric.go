// Package fabric is a lab with a control plane in front of it: what `make demo`, `make lab` and the end-to-end scripts run on.
// The control plane is the real binary on this host, switches and machines are the lab's nodes with the real agent. It knows
// the product only by its binaries and its API.
package fabric

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/lab"
)

// Options say what Up starts.
type Options struct {
	Topology *lab.Topology // nil is the lab's default
	Binaries string        // directory with the product's programs
	Native   bool          // in namespaces on the host's own kernel (lab.Options)
	Log      io.Writer     // progress, a line each
	Socket   string        // where other processes find the lab; empty is nowhere
	// Listen is where the control plane's API listens; empty is any free port of the loopback.
	Listen     string
	Quarantine time.Duration // 0 is 2 s
}

// Fabric is a running lab with its control plane.
type Fabric struct {
	Lab       *lab.Fabric
	Inventory lab.Inventory
	CP        *ControlPlane
	API       *API
	Binaries  string

	scratch   *scratch
	cpOptions ControlPlaneOptions
	installer *installer
	stop      context.CancelFunc
}

// Up starts a control plane and boots the lab, registers the switches and waits until every switch lives, the underlay's sessions stand, the spines are
// ways like any other and every machine is discovered and free.
func Up(ctx context.Context, o Options) (*Fabric, error) {
	if o.Topology == nil {
		o.Topology = lab.Default()
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Quarantine == 0 {
		o.Quarantine = 2 * time.Second
	}
	scratch, err := newScratch()
	if err != nil {
		return nil, err
	}
	f := &Fabric{scratch: scratch, Binaries: o.Binaries, Inventory: o.Topology.Inventory(), stop: func() {}}
	if err := f.start(ctx, o); err != nil {
		return nil, errors.Join(err, f.diagnosed(o.Log), f.Down())
	}
	return f, nil
}

func (f *Fabric) start(ctx context.Context, o Options) error {
	say := func(format string, args ...any) {
		if o.Log != nil {
			fmt.Fprintf(o.Log, format+"\n", args...)
		}
	}
	f.cpOptions = ControlPlaneOptions{
		Binary: filepath.Join(o.Binaries, "pointsman-controlplane"), Dir: f.scratch.path, DataDir: filepath.Join(f.scratch.path, "etcd"), Name: "controlplane",
		Listen: o.Listen, EtcdListen: "127.0.0.1:0", Quarantine: o.Quarantine,
	}
	var err error
	if f.CP, err = StartControlPlane(ctx, f.cpOptions); err != nil {
		return err
	}
	// A restart must be found where this one was.
	f.cpOptions.Listen = f.CP.GRPC
	port, address, err := etcdPort(f.CP.Etcd)
	if err != nil {
		return err
	}
	f.cpOptions.EtcdListen = address
	say("control plane serves gRPC on %s, etcd on %s", f.CP.GRPC, address)
	if f.API, err = Dial(f.CP.GRPC); err != nil {
		return err
	}
	if err := Register(ctx, f.API, f.Inventory); err != nil {
		return err
	}
	f.Lab, err = lab.Up(ctx, lab.Options{Topology: o.Topology, Binaries: o.Binaries, EtcdPorts: []int{port}, Native: o.Native, Log: o.Log, Socket: o.Socket})
	if err != nil {
		return err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f.stop = cancel
	f.installer = &installer{
		api: f.API, log: slog.New(slog.DiscardHandler), placed: map[string][]byte{}, held: map[string]bool{},
		write: f.writeMachine, clear: f.clearMachine,
	}
	go f.installer.run(run)
	start := time.Now()
	if err := f.awaitReady(ctx); err != nil {
		return err
	}
	say("every switch lives, every session between them stands, every machine is discovered and free (%.1f s)", time.Since(start).Seconds())
	return nil
}

func etcdPort(endpoints []string) (port int, address string, err error) {
	if len(endpoints) == 0 {
		return 0, "", errors.New("the control plane names no etcd endpoint in its ready file")
	}
	address = strings.TrimPrefix(endpoints[0], "http://")
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return 0, "", fmt.Errorf("read etcd endpoint %q: %w", endpoints[0], err)
	}
	port, err = strconv.Atoi(text)
	return port, address, err
}

const fabricReadyLimit = 120 * time.Second

// awaitReady waits for heartbeats, discovery and the sessions of the underlay, then for machines to be free.
func (f *Fabric) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fabricReadyLimit)
	defer cancel()
	err := Eventually(ctx, 200*time.Millisecond, func() error {
		list, err := f.API.Switches.ListSwitches(ctx, &apiv1.ListSwitchesRequest{})
		if err != nil {
			return err
		}
		for _, s := range list.Switches {
			if !s.Alive {
				return fmt.Errorf("switch %s does not live", s.Id)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := Eventually(ctx, 200*time.Millisecond, func() error { return f.underlayStands(ctx) }); err != nil {
		return err
	}
	if err := Eventually(ctx, time.Second, func() error { return f.spinesPreferred(ctx) }); err != nil {
		return err
	}
	return f.API.WaitFree(ctx, f.MachineNames()...)
}

// underlayStands returns an error that names an uplink without a session.
func (f *Fabric) underlayStands(ctx context.Context) error {
	for _, name := range f.SwitchNames("") {
		s, err := f.API.Switches.GetSwitch(ctx, &apiv1.GetSwitchRequest{Id: name})
		if err != nil {
			return err
		}
		for _, p := range s.PortViews {
			if p.Role == apiv1.PortRole_PORT_ROLE_UPLINK && !p.Session.GetEstablished() {
				return fmt.Errorf("the session of %s %s does not stand: %v", name, p.Name, p.Session)
			}
		}
	}
	return nil
}

// spinesPreferred returns an error that names a spine that still announces itself as a bad way, as one does for ten seconds after its boot.
// When all spines have booted at once, the ways change when the first of them ends that, and the tunnels with them.
func (f *Fabric) spinesPreferred(ctx context.Context) error {
	for _, name := range f.SwitchNames(lab.RoleSpine) {
		said, err := f.Lab.Run(ctx, name, "vtysh", "-c", "show bgp ipv4 unicast summary json")
		if err != nil {
			return err
		}
		var summary struct {
			MaxMED bool `json:"maxMedOnStartup"`
		}
		if err := json.Unmarshal([]byte(said), &summary); err != nil {
			return fmt.Errorf("%s: read BGP summary: %w", name, err)
		}
		if summary.MaxMED {
			return fmt.Errorf("%s still announces the highest metric after its boot", name)
		}
	}
	return nil
}

// MachineNames are the names of all machines, which are their ids too: auto-adoption takes them from LLDP.
func (f *Fabric) MachineNames() []string {
	var names []string
	for _, m := range f.Inventory.Machines {
		names = append(names, m.Name)
	}
	return names
}

// SwitchNames are the names of all switches, or of those of one role.
func (f *Fabric) SwitchNames(role string) []string {
	var names []string
	for _, s := range f.Inventory.Switches {
		if role == "" || s.Role == role {
			names = append(names, s.Name)
		}
	}
	return names
}

// Switch returns a switch of the inventory.
func (f *Fabric) Switch(name string) lab.Switch {
	for _, s := range f.Inventory.Switches {
		if s.Name == name {
			return s
		}
	}
	panic("no switch " + name)
}

// Port is what a switch calls the port with a number on its front: swp2, or Ethernet4.
func (f *Fabric) Port(node string, number int) string {
	for _, p := range f.Switch(node).Ports {
		if p.Number == number {
			return p.Name
		}
	}
	panic(fmt.Sprintf("switch %s has no port %d", node, number))
}

// HoldMachineFile leaves a machine's file to the caller instead of the installer.
func (f *Fabric) HoldMachineFile(machine string, held bool) { f.installer.hold(machine, held) }

// WriteMachineFile writes a machine's file, as a user of the machine could.
func (f *Fabric) WriteMachineFile(ctx context.Context, machine string, file []byte) error {
	return f.Lab.WriteFile(ctx, machine, machineFile, file, 0o644)
}

// RestartControlPlane stops the control plane and starts it on a data directory: "" is its own.
func (f *Fabric) RestartControlPlane(ctx context.Context, dataDir string) error {
	if err := f.CP.Stop(); err != nil {
		return err
	}
	return f.StartControlPlane(ctx, dataDir)
}

// StartControlPlane starts the control plane again where the last one was, which has ended, on a data directory: "" is its own.
func (f *Fabric) StartControlPlane(ctx context.Context, dataDir string) error {
	o := f.cpOptions
	if dataDir != "" {
		o.DataDir = dataDir
	}
	cp, err := StartControlPlane(ctx, o)
	if err != nil {
		return err
	}
	f.CP = cp
	return nil
}

// Dir is the fabric's own directory, removed by Down.
func (f *Fabric) Dir() string { return f.scratch.path }

// Ctl runs pointsmanctl against the control plane and returns what it printed.
func (f *Fabric) Ctl(ctx context.Context, args ...string) (string, error) {
	var out strings.Builder
	err := f.CtlTo(ctx, &out, args...)
	return out.String(), err
}

// CtlTo runs pointsmanctl with its output, errors included, on w.
func (f *Fabric) CtlTo(ctx context.Context, w io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(f.Binaries, "pointsmanctl"), append([]string{"--server", f.CP.GRPC}, args...)...)
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("pointsmanctl %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// Down ends all of it and leaves nothing behind.
func (f *Fabric) Down() error {
	f.stop()
	var errs []error
	if f.Lab != nil {
		errs = append(errs, f.Lab.Down())
	}
	if f.API != nil {
		errs = append(errs, f.API.Close())
	}
	if f.CP != nil {
		errs = append(errs, f.CP.Stop())
	}
	return errors.Join(append(errs, f.scratch.remove())...)
}
