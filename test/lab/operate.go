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
	"strings"
	"syscall"
)

// Result is what a program in a node left.
type Result struct {
	Stdout, Stderr []byte
	Exit           int // 128 + the signal's number if a signal ended it
}

// Exec runs a program in a node and waits for it. stdin may be nil. A program that ran is no error, whatever its exit
// code; if ctx ends, the program is killed.
func (f *Fabric) Exec(ctx context.Context, node string, argv []string, stdin io.Reader) (Result, error) {
	var stdout, stderr bytes.Buffer
	exit, err := f.ExecStream(ctx, node, argv, stdin, &stdout, &stderr)
	return Result{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), Exit: exit}, err
}

// ExecStream is Exec with the output as it comes.
func (f *Fabric) ExecStream(ctx context.Context, node string, argv []string, stdin io.Reader, stdout, stderr io.Writer) (exit int, err error) {
	resp, err := f.do(ctx, request{Node: node, Op: opExec, Argv: argv}, stdin, stdout, stderr)
	if err != nil {
		return resp.Exit, fmt.Errorf("run %s on %s: %w", argv[0], nodeOr(node), err)
	}
	return resp.Exit, nil
}

// Run runs a program in a node and returns its output; an exit code other than 0 is an error that carries what it printed.
func (f *Fabric) Run(ctx context.Context, node string, argv ...string) (string, error) {
	r, err := f.Exec(ctx, node, argv, nil)
	if err != nil {
		return "", err
	}
	if r.Exit != 0 {
		return string(r.Stdout), fmt.Errorf("run %s on %s: exit code %d: %s", strings.Join(argv, " "), nodeOr(node), r.Exit, bytes.TrimSpace(append(r.Stdout, r.Stderr...)))
	}
	return string(r.Stdout), nil
}

// WriteFile writes a file in a node, atomically, and makes the directories above it.
func (f *Fabric) WriteFile(ctx context.Context, node, path string, data []byte, mode os.FileMode) error {
	_, err := f.do(ctx, request{Node: node, Op: opWrite, Path: path, Mode: uint32(mode.Perm())}, bytes.NewReader(data), nil, nil)
	if err != nil {
		return fmt.Errorf("write %s on %s: %w", path, nodeOr(node), err)
	}
	return nil
}

// ReadFile reads a file of a node.
func (f *Fabric) ReadFile(ctx context.Context, node, path string) ([]byte, error) {
	var data bytes.Buffer
	if _, err := f.do(ctx, request{Node: node, Op: opRead, Path: path}, nil, &data, nil); err != nil {
		return nil, fmt.Errorf("read %s on %s: %w", path, nodeOr(node), err)
	}
	return data.Bytes(), nil
}

// Service starts or stops a service of a node. ActionStop returns when it has ended.
func (f *Fabric) Service(ctx context.Context, node, service string, action ServiceAction) error {
	return f.service(ctx, request{Node: node, Service: service, Action: action})
}

// Kill sends a signal to a service of a node. A service that ends by it is started again after a second.
func (f *Fabric) Kill(ctx context.Context, node, service string, signal syscall.Signal) error {
	return f.service(ctx, request{Node: node, Service: service, Action: ActionKill, Signal: int(signal)})
}

func (f *Fabric) service(ctx context.Context, req request) error {
	req.Op = opService
	if _, err := f.do(ctx, req, nil, nil, nil); err != nil {
		return fmt.Errorf("%s service %s on %s: %w", req.Action, req.Service, req.Node, err)
	}
	return nil
}

// Services returns the state of a node's services.
func (f *Fabric) Services(ctx context.Context, node string) ([]ServiceStatus, error) {
	var out bytes.Buffer
	if _, err := f.do(ctx, request{Node: node, Op: opService, Action: ActionStatus}, nil, &out, nil); err != nil {
		return nil, fmt.Errorf("read services of %s: %w", node, err)
	}
	var list []ServiceStatus
	for decoder := json.NewDecoder(&out); ; {
		var s ServiceStatus
		if err := decoder.Decode(&s); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("decode services of %s: %w", node, err)
		}
		list = append(list, s)
	}
}

// SetLink sets a port of a node administratively up or down; the far end sees its carrier go.
func (f *Fabric) SetLink(ctx context.Context, node, port string, up bool) error {
	_, err := f.do(ctx, request{Node: node, Op: opLink, Port: port, Up: up}, nil, nil, nil)
	return err
}

// Impair makes a port lose, delay or corrupt what it sends, without a change of its state: arguments of tc's netem, such as "loss",
// "100%". None heals it.
func (f *Fabric) Impair(ctx context.Context, node, port string, netem ...string) error {
	argv := []string{"tc", "qdisc", "del", "dev", port, "root"}
	if len(netem) > 0 {
		argv = append([]string{"tc", "qdisc", "replace", "dev", port, "root", "netem"}, netem...)
	}
	_, err := f.Run(ctx, node, argv...)
	return err
}

// PartitionManagement cuts a switch off the management network, or joins it again. Its eth0 keeps its carrier.
func (f *Fabric) PartitionManagement(ctx context.Context, node string, partitioned bool) error {
	if _, err := f.do(ctx, request{Op: opPartition, Target: node, Up: !partitioned}, nil, nil, nil); err != nil {
		return fmt.Errorf("partition management of %s: %w", node, err)
	}
	return nil
}

// kernelDump shows all that a node's kernel holds about its network.
const kernelDump = `
for c in "ip -d link" "ip -d addr" "bridge vlan" "bridge fdb" "ip rule" "ip -6 rule" "ip vrf" "ip -d route show table all" "ip -6 -d route show table all" "ip neigh" "ip -6 neigh" "nft list ruleset"; do
  echo "# $c"; $c 2>&1; echo
done
for d in zebra bgpd; do [ -S /run/frr/$d.vty ] && vtysh -d $d -c "show running-config" 2>&1; done
true`

// DumpKernel returns what a node's kernel, and FRR if it runs there, hold about its network, as text to read.
func (f *Fabric) DumpKernel(ctx context.Context, node string) (string, error) {
	return f.Run(ctx, node, "sh", "-c", kernelDump)
}

// Logs returns the logs of a node's services, or of one of them.
func (f *Fabric) Logs(ctx context.Context, node, service string) (string, error) {
	return f.Run(ctx, node, logCommand(service, false)...)
}

// FollowLogs writes the logs of a node's services, or of one of them, to w as they grow, until ctx ends.
func (f *Fabric) FollowLogs(ctx context.Context, node, service string, w io.Writer) error {
	_, err := f.ExecStream(ctx, node, logCommand(service, true), nil, w, w)
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// logCommand prints the supervisor's log of a service, and what the service itself writes for FRR's daemons.
func logCommand(service string, follow bool) []string {
	if service == "" {
		service = "*"
	}
	tail := "tail -n +1"
	if follow {
		tail = "tail -F -n 100"
	}
	return []string{"sh", "-c", "set -- /var/log/" + service + ".log /var/log/frr/" + service + ".log; for f do shift; [ -s \"$f\" ] && set -- \"$@\" \"$f\"; done; [ $# -eq 0 ] || exec " + tail + ` "$@"`}
}

// Dial connects from the host to a TCP address as seen from a node ("127.0.0.1:80"), through the device if one is named
// (a VRF such as "mgmt").
func (f *Fabric) Dial(ctx context.Context, node, address, device string) (net.Conn, error) {
	return f.tunnel(ctx, request{Node: node, Op: opDial, Address: address, Device: device})
}

// Forward listens on an address of the host ("127.0.0.1:0") and passes each connection to a TCP address as seen from a node. It
// returns the address it listens on, and ends with the fabric.
func (f *Fabric) Forward(hostAddress, node, address, device string) (net.Addr, error) {
	listener, err := net.Listen("tcp", hostAddress)
	if err != nil {
		return nil, fmt.Errorf("forward to %s: %w", node, err)
	}
	f.mu.Lock()
	f.forwards = append(f.forwards, listener)
	f.mu.Unlock()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				far, err := f.Dial(context.Background(), node, address, device)
				if err != nil {
					return // the client sees its connection close, as by a far end that refuses
				}
				defer far.Close()
				join(conn, far)
			}()
		}
	}()
	return listener.Addr(), nil
}

// nodeOr names the guest's root namespace in messages.
func nodeOr(node string) string {
	if node == "" {
		return "the guest"
	}
	return node
}
