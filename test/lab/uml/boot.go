// Package uml owns the lab's guest: a user-mode Linux kernel that runs as an ordinary process, booted over a Debian root.
//
// It has two halves in one binary. On the host, Boot and Run start the kernel with the calling program itself as the
// guest's init; in the guest, Main (called first thing by that program's main) finds itself to be process 1 and takes over.
// The package knows nothing of fabrics and imports no network library; packages lab and guesttest build on it.
package uml

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// DefaultMemory is the guest's memory where a caller names none. It is a limit: the host pays for what is touched.
const DefaultMemory = "1G"

// Config says what guest to boot.
type Config struct {
	Root   string // the Debian root, as package debroot makes it
	Kernel string // the kernel, as package kernel chooses it; empty is Debian's in Root
	Native bool   // no kernel: the guest is namespaces on the host's (see NativeRights)
	Memory string // "1G"; empty is DefaultMemory
	// Mode selects among the modes given to Main in the guest, and Spec is handed to it (as JSON).
	Mode string
	Spec any
	// ReadOnly and Writable are host directories that the guest sees at the same absolute path.
	ReadOnly, Writable []string
	Network            *os.File    // one end of a datagram socketpair of Ethernet frames, vec0 in the guest; may be nil
	Lines              []io.Writer // what the guest writes to its serial lines ttyS0, ttyS1, ...
}

// Guest is a running guest.
type Guest struct {
	dir     string // its files on the host: spec, result, kernel log
	cmd     *exec.Cmd
	done    chan struct{}
	waitErr error
	console *os.File
	guard   *guard
	cleanup func()
}

// Boot starts a guest and returns at once; the guest runs until it powers off or ctx ends. Main must have been called by
// this program. The caller calls Close.
func Boot(ctx context.Context, c Config) (*Guest, error) {
	if !hooked {
		return nil, errors.New("boot guest: this program never called uml.Main, so it cannot be the guest's init")
	}
	if runtime.GOARCH != "amd64" && !c.Native {
		return nil, fmt.Errorf("boot guest: user-mode Linux runs on x86-64 only, this is %s", runtime.GOARCH)
	}
	if c.Kernel == "" {
		c.Kernel = filepath.Join(c.Root, "usr/bin/linux.uml")
	}
	if c.Memory == "" {
		c.Memory = DefaultMemory
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("boot guest: %w", err)
	}
	if strings.HasPrefix(self, "/dev/") && !c.Native {
		return nil, fmt.Errorf("boot guest: %s lies under /dev, which the guest has of its own; run it from elsewhere (TMPDIR)", self)
	}
	dir, cleanup, err := runDir(c.Memory)
	if err != nil {
		return nil, fmt.Errorf("boot guest: %w", err)
	}
	g := &Guest{dir: dir, done: make(chan struct{}), cleanup: cleanup}
	if err := g.start(ctx, c, self); err != nil {
		cleanup()
		return nil, fmt.Errorf("boot guest: %w", err)
	}
	return g, nil
}

// bootSpec is what the host tells the guest's init.
type bootSpec struct {
	Mode               string
	Root               string
	ReadOnly, Writable []string
	Spec               json.RawMessage
}

const (
	specFile   = "spec.json"
	resultFile = "result.json"
	specEnv    = "POINTSMAN_GUEST" // an unknown word of the kernel's command line becomes init's environment
)

func (g *Guest) start(ctx context.Context, c Config, self string) error {
	raw, err := json.Marshal(c.Spec)
	if err != nil {
		return err
	}
	spec, err := json.Marshal(bootSpec{Mode: c.Mode, Root: c.Root, ReadOnly: c.ReadOnly, Writable: c.Writable, Spec: raw})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(g.dir, specFile), spec, 0o600); err != nil {
		return err
	}
	if g.console, err = os.Create(filepath.Join(g.dir, "console.log")); err != nil {
		return err
	}

	args := []string{
		"mem=" + c.Memory, "uml_dir=" + g.dir + "/", "umid=guest",
		"root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "init=" + self, specEnv + "=" + g.dir,
		"con=null", "con0=null,fd:1", "quiet", "selinux=0",
		"seccomp=auto", // system calls of the guest's programs cost a third of what they cost by ptrace; kernels before 6.16 ignore it
	}
	files := []*os.File{c.Network}
	if c.Network != nil {
		args = append(args, "vec0:transport=fd,fd=3,depth=64")
	} else {
		null, err := os.Open(os.DevNull) // keeps the numbers of the lines' descriptors
		if err != nil {
			return err
		}
		defer null.Close()
		files[0] = null
	}
	var copies sync.WaitGroup
	var ours, theirs []*os.File
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
	}()
	for i := range c.Lines {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		ours, theirs = append(ours, r), append(theirs, w)
		args = append(args, fmt.Sprintf("ssl%d=null,fd:%d", i, 4+i))
	}

	if g.guard, err = startGuard(g.dir); err != nil {
		return err
	}
	cmd := exec.Command(c.Kernel, args...)
	cmd.Env = []string{"TMPDIR=" + g.dir, "HOME=" + g.dir, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if c.Native {
		cmd = exec.Command(self)
		cmd.Env = []string{specEnv + "=" + g.dir, nativeEnv + "=1"}
		cmd.SysProcAttr = nativeAttr()
	}
	cmd.Dir = g.dir
	cmd.Stdout, cmd.Stderr = g.console, g.console
	cmd.ExtraFiles = append(files, theirs...)
	started := make(chan error)
	g.cmd = cmd
	go func() {
		// The kernel sends the death signal when the *thread* ends that made the child: this one lives as long as it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		g.guard.watch(cmd.Process.Pid)
		close(started)
		g.waitErr = cmd.Wait()
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // what processes of the guest are left
		copies.Wait()
		close(g.done)
	}()
	if err := <-started; err != nil {
		for _, r := range ours {
			r.Close()
		}
		g.guard.stop()
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	for i, r := range ours {
		copies.Add(1)
		go func() {
			defer copies.Done()
			_, _ = io.Copy(c.Lines[i], r)
			r.Close()
		}()
	}
	go func() {
		select {
		case <-ctx.Done():
			g.Kill()
		case <-g.done:
		}
	}()
	return nil
}

// Done is closed when the guest has ended.
func (g *Guest) Done() <-chan struct{} { return g.done }

// Kill ends the guest at once, as pulling the plug would. It may be called at any time.
func (g *Guest) Kill() { _ = unix.Kill(-g.cmd.Process.Pid, unix.SIGKILL) }

// Close ends the guest if it runs and removes its files.
func (g *Guest) Close() error {
	select {
	case <-g.done:
	default:
		g.Kill()
		<-g.done
	}
	err := g.console.Close()
	g.guard.stop()
	g.cleanup()
	return err
}

// Console returns what the guest's kernel and init have printed.
func (g *Guest) Console() string {
	text, _ := os.ReadFile(g.console.Name())
	return strings.TrimSpace(string(bytes.ToValidUTF8(text, nil)))
}

// Result waits for the guest to power off and decodes what its mode returned into v. A guest that ended without a result
// is an error that carries what it printed.
func (g *Guest) Result(v any) error {
	<-g.done
	text, err := os.ReadFile(filepath.Join(g.dir, resultFile))
	if errors.Is(err, os.ErrNotExist) {
		ended := errors.New("guest ended without a result; it printed:\n" + g.Console())
		return errors.Join(ended, g.waitErr)
	}
	if err != nil {
		return fmt.Errorf("read guest's result: %w", err)
	}
	return json.Unmarshal(text, v)
}

// WaitReady is the longest that a guest's boot is waited for.
const WaitReady = 60 * time.Second
