package fabric

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Ready is what a control plane writes to its ready file once it serves.
type Ready struct {
	GRPC string   `json:"grpc"`
	Etcd []string `json:"etcd"`
}

// ControlPlane is a control plane's process on this host.
type ControlPlane struct {
	Ready
	cmd     *exec.Cmd
	logFile *os.File
	exited  chan struct{}
	err     error
}

// ControlPlaneOptions say how a control plane is started.
type ControlPlaneOptions struct {
	Binary string
	// Dir holds the log and the ready file; DataDir the embedded etcd's data.
	Dir, DataDir string
	// Name tells several in one Dir apart.
	Name string
	// Listen and EtcdListen are host:port; port 0 is any that is free.
	Listen, EtcdListen string
	// EtcdEndpoints name an etcd outside, instead of the embedded one.
	EtcdEndpoints []string
	Quarantine    time.Duration
}

const (
	readyLimit = 60 * time.Second
	stopLimit  = 15 * time.Second
)

// StartControlPlane starts a control plane and returns when it serves. It dies with this process.
func StartControlPlane(ctx context.Context, o ControlPlaneOptions) (*ControlPlane, error) {
	ready := filepath.Join(o.Dir, o.Name+".ready")
	if err := os.RemoveAll(ready); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(o.Dir, o.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	c := &ControlPlane{cmd: exec.Command(o.Binary, o.args(ready)...), logFile: log, exited: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := c.run(); err != nil {
		return nil, fmt.Errorf("start control plane: %w", err)
	}
	if err := c.awaitReady(ctx, ready); err != nil {
		return nil, errors.Join(err, c.Kill())
	}
	return c, nil
}

// run starts the process from a thread that lives as long as it: Linux sends the signal of a parent's death when the thread that
// forked ends (prctl(2), PR_SET_PDEATHSIG).
func (c *ControlPlane) run() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.err = c.cmd.Wait()
			close(c.exited)
		}
	}()
	return <-started
}

// UsualListen is where a control plane's API listens that nobody told where.
const UsualListen = "127.0.0.1:7443"

func (o ControlPlaneOptions) args(ready string) []string {
	args := []string{"serve", "--listen", o.Listen, "--ready-file", ready, "--auto-adopt", "--quarantine", o.Quarantine.String()}
	if o.Listen != UsualListen { // beside another one on this host
		args = append(args, "--metrics-listen", "127.0.0.1:0")
	}
	if len(o.EtcdEndpoints) == 0 {
		return append(args, "--data-dir", o.DataDir, "--etcd-listen-client", o.EtcdListen)
	}
	for _, e := range o.EtcdEndpoints {
		args = append(args, "--etcd-endpoints", e)
	}
	return args
}

func (c *ControlPlane) awaitReady(ctx context.Context, file string) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		text, err := os.ReadFile(file)
		if err == nil && json.Unmarshal(text, &c.Ready) == nil {
			return nil
		}
		select {
		case <-c.exited:
			log, _ := os.ReadFile(c.logFile.Name())
			return fmt.Errorf("control plane ended before it served: %w\n%s", c.err, tail(log, 4000))
		case <-ctx.Done():
			log, _ := os.ReadFile(c.logFile.Name())
			return fmt.Errorf("control plane does not serve: %w\n%s", ctx.Err(), tail(log, 4000))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop asks the control plane to end and waits until it has.
func (c *ControlPlane) Stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.exited:
		return errors.Join(c.err, c.logFile.Close())
	case <-time.After(stopLimit):
		return errors.Join(fmt.Errorf("control plane does not end within %v of SIGTERM", stopLimit), c.Kill())
	}
}

// Kill ends the control plane at once, as a crash would.
func (c *ControlPlane) Kill() error {
	_ = c.cmd.Process.Kill()
	<-c.exited
	_ = c.logFile.Close()
	return nil
}

// Log returns what the control plane logged so far.
func (c *ControlPlane) Log() string {
	text, err := os.ReadFile(c.logFile.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func tail(text []byte, n int) []byte { return text[max(0, len(text)-n):] }
