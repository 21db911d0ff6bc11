package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/test/fabric"
	"github.com/pointsman/pointsman/test/lab"
)

func upCommand() *cobra.Command {
	var (
		file, binaries, memory string
		etcdPorts, hostPorts   []int
		detach                 bool
		readyFD                int
		controlPlane, native   bool
		listen                 string
	)
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Boot a fabric and keep it until Ctrl-C, or in the background",
		Long: `Boot a fabric in one guest and keep it until Ctrl-C (or lab down).

Switches run FRR, and the agent if the directory of --binaries holds pointsman-agent (by default the directory of this program,
as make build leaves it). Agents look for etcd on the ports of this host's loopback that --etcd-port names.

With --native there is no guest: nodes are namespaces on this host's own kernel, which must have VRF, VXLAN and all else that a switch
needs; what it lacks is named. Nothing of it is seen on the host, and with this process all of it is gone.

With --control-plane a control plane runs on this host too: the switches are registered with it, machines are discovered, and what
pointsmanctl allocates is installed on the machines, so that their speakers connect.`,
		Example: "  lab up\n  lab up -f my-topology.yaml --detach && lab exec leaf01 -- vtysh -c 'show bgp summary' && lab down",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if detach {
				return upDetached(cmd.Context(), cmd.ErrOrStderr())
			}
			topology, err := lab.Load(file)
			if err != nil {
				return err
			}
			socket, err := lab.DefaultSocket()
			if err != nil {
				return err
			}
			o := lab.Options{Topology: topology, Binaries: binariesDir(cmd, binaries), EtcdPorts: etcdPorts, HostPorts: hostPorts, Native: native, Memory: memory, Log: cmd.ErrOrStderr(), Socket: socket}
			boot := func(ctx context.Context) (*lab.Fabric, func() error, error) {
				f, err := lab.Up(ctx, o)
				if err != nil {
					return nil, nil, err
				}
				return f, f.Down, nil
			}
			if controlPlane {
				boot = withControlPlane(o, listen)
			}
			return runUp(cmd.Context(), o.Log, boot, readyFD)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "topology file (lab topology prints the default one)")
	cmd.Flags().StringVar(&binaries, "binaries", "", "directory with the product's programs; none runs no agents")
	cmd.Flags().BoolVar(&native, "native", false, "build the fabric in namespaces on this host's own kernel, without a guest; needs root, or root of a user namespace")
	cmd.Flags().StringVar(&memory, "mem", "", "the guest's memory (default by the number of nodes)")
	cmd.Flags().IntSliceVar(&etcdPorts, "etcd-port", []int{2379}, "port of etcd on this host's loopback")
	cmd.Flags().IntSliceVar(&hostPorts, "host-port", nil, "further port of this host's loopback that the guest may reach at "+lab.HostAddress)
	cmd.Flags().BoolVar(&detach, "detach", false, "return when the fabric is up, and leave it running")
	cmd.Flags().IntVar(&readyFD, "ready-fd", 0, "tell on this descriptor when the fabric is up")
	_ = cmd.Flags().MarkHidden("ready-fd")
	cmd.Flags().BoolVar(&controlPlane, "control-plane", false, "run a control plane on this host and register the switches with it")
	cmd.Flags().StringVar(&listen, "listen", fabric.UsualListen, "address of the control plane's API")
	return cmd
}

// binariesDir is what --binaries says, else this program's directory if the agent lies there, else none.
func binariesDir(cmd *cobra.Command, flag string) string {
	if flag == "none" {
		return ""
	}
	if cmd.Flags().Changed("binaries") {
		return flag
	}
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(self), "pointsman-agent")); err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "lab: no pointsman-agent beside %s: the switches run FRR only\n", self)
		return ""
	}
	return filepath.Dir(self)
}

// runUp boots a fabric and keeps it until it is told to end.
func runUp(ctx context.Context, log io.Writer, boot func(ctx context.Context) (*lab.Fabric, func() error, error), readyFD int) (err error) {
	f, down, err := boot(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, down()) }()
	if readyFD > 0 {
		ready := os.NewFile(uintptr(readyFD), "ready")
		fmt.Fprintln(ready, readyWord)
		ready.Close()
	} else {
		fmt.Fprintln(log, "lab: in another terminal: lab status, lab exec leaf01 -- vtysh; Ctrl-C here ends it")
	}
	select {
	case <-ctx.Done():
		fmt.Fprintln(log, "lab: ending the fabric")
		return nil
	case <-f.DownRequested():
		return nil
	case <-f.Done():
		return errors.New("the guest has ended by itself")
	}
}

const readyWord = "ready"

// upDetached starts this command again, without --detach, in a session of its own, and returns when its fabric is up.
func upDetached(ctx context.Context, log io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	socket, err := lab.DefaultSocket()
	if err != nil {
		return err
	}
	if f, err := lab.Attach(ctx, socket); err == nil {
		return fmt.Errorf("a lab is running already (%s); end it with: lab down", f.Topology.Name)
	}
	logFile := strings.TrimSuffix(socket, ".sock") + ".log"
	if err := os.MkdirAll(filepath.Dir(logFile), 0o700); err != nil {
		return err
	}
	out, err := os.Create(logFile)
	if err != nil {
		return err
	}
	defer out.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	args := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(a string) bool { return a == "--detach" || a == "--detach=true" })
	child := exec.Command(self, append(args, "--ready-fd=3")...)
	child.Stdout, child.Stderr = out, out
	child.ExtraFiles = []*os.File{w}
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		w.Close()
		return err
	}
	w.Close()
	stop := context.AfterFunc(ctx, func() { _ = child.Process.Signal(unix.SIGTERM) })
	defer stop()
	word, _ := io.ReadAll(io.LimitReader(r, int64(len(readyWord))))
	text, _ := os.ReadFile(logFile)
	_, _ = log.Write(text)
	if string(word) != readyWord {
		_ = child.Wait()
		return fmt.Errorf("the lab did not start; its log is %s", logFile)
	}
	fmt.Fprintf(log, "lab: runs in the background (process %d, log %s); end it with: lab down\n", child.Process.Pid, logFile)
	return child.Process.Release()
}

// attached returns the fabric that `lab up` runs.
func attached(ctx context.Context) (*lab.Fabric, error) {
	socket, err := lab.DefaultSocket()
	if err != nil {
		return nil, err
	}
	return lab.Attach(ctx, socket)
}

func downCommand() *cobra.Command {
	return &cobra.Command{
		Use: "down", Short: "End the running fabric", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			socket, err := lab.DefaultSocket()
			if err != nil {
				return err
			}
			return lab.RequestDown(cmd.Context(), socket)
		},
	}
}

func execCommand() *cobra.Command {
	var stdin bool
	cmd := &cobra.Command{
		Use: "exec NODE -- COMMAND [ARG...]", Short: "Run a command in a node and return its exit code",
		Example: "  lab exec leaf01 -- vtysh -c 'show bgp l2vpn evpn summary'\n  lab exec machine01 -- ping -c 3 10.0.0.2",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := attached(cmd.Context())
			if err != nil {
				return err
			}
			node, argv := args[0], args[1:]
			if argv[0] == "--" {
				argv = argv[1:]
			}
			if len(argv) == 0 {
				return errors.New("no command given: lab exec NODE -- COMMAND")
			}
			var in io.Reader
			if stdin {
				in = cmd.InOrStdin()
			}
			exit, err := f.ExecStream(cmd.Context(), node, argv, in, cmd.OutOrStdout(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if exit != 0 {
				return exitError(exit)
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&stdin, "stdin", "i", false, "pass this command's input on")
	cmd.Flags().SetInterspersed(false)
	return cmd
}

func logsCommand() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use: "logs NODE [SERVICE]", Short: "Print the logs of a node's services", Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := attached(cmd.Context())
			if err != nil {
				return err
			}
			service := ""
			if len(args) == 2 {
				service = args[1]
			}
			if follow {
				return f.FollowLogs(cmd.Context(), args[0], service, cmd.OutOrStdout())
			}
			text, err := f.Logs(cmd.Context(), args[0], service)
			fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on as they grow")
	return cmd
}

func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show the running fabric's nodes and their services", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := attached(cmd.Context())
			if err != nil {
				return err
			}
			return printStatus(cmd.Context(), f, cmd.OutOrStdout())
		},
	}
}

func printStatus(ctx context.Context, f *lab.Fabric, w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NODE\tSERVICE\tSTATE\tSTARTS\tLAST EXIT\tSINCE")
	for _, node := range f.Topology.NodeNames() {
		services, err := f.Services(ctx, node)
		if err != nil {
			return err
		}
		for _, s := range services {
			state, since := "ended", "-"
			switch {
			case s.Running:
				state, since = "running", time.Since(s.Since).Round(time.Second).String()
			case s.Stopped:
				state = "stopped"
			}
			exit := "-"
			if s.Starts > 1 || !s.Running {
				exit = fmt.Sprint(s.LastExit)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", node, s.Name, state, s.Starts, exit, since)
		}
		if len(services) == 0 {
			fmt.Fprintf(table, "%s\t-\tup\t\t\t\n", node)
		}
	}
	return table.Flush()
}

func killCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "kill NODE SERVICE", Short: "Kill a node's service; it is started again after a second", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			signal := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG"))
			if signal == 0 {
				return fmt.Errorf("unknown signal %q", name)
			}
			f, err := attached(cmd.Context())
			if err != nil {
				return err
			}
			return f.Kill(cmd.Context(), args[0], args[1], signal)
		},
	}
	cmd.Flags().StringVarP(&name, "signal", "s", "KILL", "signal to send")
	return cmd
}

func serviceCommand() *cobra.Command {
	return &cobra.Command{
		Use: "service NODE SERVICE start|stop", Short: "Start or stop a node's service", Args: cobra.ExactArgs(3),
		ValidArgs: []string{"start", "stop"},
		RunE: func(cmd *cobra.Command, args []string) error {
			action := lab.ServiceAction(args[2])
			if action != lab.ActionStart && action != lab.ActionStop {
				return fmt.Errorf("unknown action %q: start or stop", args[2])
			}
			f, err := attached(cmd.Context())
			if err != nil {
				return err
			}
			return f.Service(cmd.Context(), args[0], args[1], action)
		},
	}
}

func linkCommand() *cobra.Command {
	return &cobra.Command{
		Use: "link NODE PORT up|down", Short: "Set a node's port up or down", Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[2] != "up" && args[2] != "down" {
				return fmt.Errorf("unknown state %q: up or down", args[2])
			}
			f, err := attached(cmd.Context())
			if err != nil {
				return err
			}
			return f.SetLink(cmd.Context(), args[0], args[1], args[2] == "up")
		},
	}
}

func partitionCommand() *cobra.Command {
	var heal bool
	cmd := &cobra.Command{
		Use: "partition SWITCH", Short: "Cut a switch off the management network", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := attached(cmd.Context())
			if err != nil {
				return err
			}
			return f.PartitionManagement(cmd.Context(), args[0], !heal)
		},
	}
	cmd.Flags().BoolVar(&heal, "heal", false, "join it again")
	return cmd
}

func topologyCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "topology", Short: "Print a topology: its file, switches, machines and cables", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := lab.Load(file)
			if err != nil {
				return err
			}
			return printTopology(t, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "topology file; without it, the default fabric")
	return cmd
}

func printTopology(t *lab.Topology, w io.Writer) error {
	text, err := yaml.Marshal(t)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s\n", text)
	inv := t.Inventory()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SWITCH\tROLE\tRACK\tOS\tASN\tLOOPBACK\tMANAGEMENT\tPORTS")
	for _, s := range inv.Switches {
		var ports []string
		for _, p := range s.Ports {
			peer := "-"
			if p.Peer != (lab.Endpoint{}) {
				peer = p.Peer.String()
			}
			ports = append(ports, p.Name+"="+peer)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", s.Name, s.Role, s.Rack, s.OS, s.ASN, s.Loopback, s.Management, strings.Join(ports, " "))
	}
	fmt.Fprintln(table, "\nMACHINE\tRACK\tSYSTEM UUID\tUPLINKS")
	for _, m := range inv.Machines {
		var uplinks []string
		for _, u := range m.Uplinks {
			uplinks = append(uplinks, fmt.Sprintf("%s=%s (%s)", u.Name, u.Peer, u.MAC))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", m.Name, m.Rack, m.SystemUUID, strings.Join(uplinks, " "))
	}
	if len(inv.Outside) > 0 {
		fmt.Fprintln(table, "\nOUTSIDE\tASN\tADDRESSES\tPORTS")
	}
	for _, o := range inv.Outside {
		var ports []string
		for _, p := range o.Ports {
			ports = append(ports, fmt.Sprintf("%s=%s (%s)", p.Name, p.Peer, p.MAC))
		}
		fmt.Fprintf(table, "%s\t%d\t%v\t%s\n", o.Name, o.ASN, o.Addresses, strings.Join(ports, " "))
	}
	return table.Flush()
}
