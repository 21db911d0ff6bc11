package uml

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CommandMode is the mode of a guest that runs one command and powers off; programs give it to Main.
const CommandMode = "command"

// Command is one program to run in a guest of its own.
type Command struct {
	Argv           []string // Argv[0] is an absolute path, or a name that is looked up in the guest
	Dir            string   // working directory; empty is /
	Env            []string // added to Environment
	Stdout, Stderr io.Writer
	Timeout        time.Duration // 0 is none
}

type commandSpec struct {
	Argv []string
	Dir  string
	Env  []string
}

type commandResult struct{ Exit int }

// ErrTimeout is what Run returns when the command took longer than its limit.
var ErrTimeout = errors.New("guest exceeded its time limit")

// Run boots a guest, runs the command in it and returns its exit code (128 + the signal's number if a signal ended it).
// The guest is gone when Run returns.
func Run(ctx context.Context, c Config, cmd Command) (exit int, err error) {
	if cmd.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, cmd.Timeout, fmt.Errorf("%w of %v", ErrTimeout, cmd.Timeout))
		defer cancel()
	}
	c.Mode, c.Spec = CommandMode, commandSpec{Argv: cmd.Argv, Dir: cmd.Dir, Env: cmd.Env}
	c.Lines = []io.Writer{cmd.Stdout, cmd.Stderr}
	g, err := Boot(ctx, c)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	var result commandResult
	if err := g.Result(&result); err != nil {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return 0, err
	}
	return result.Exit, nil
}

// RunCommand is the guest's half of Run: the Mode for CommandMode.
func RunCommand(raw json.RawMessage) (any, error) {
	var spec commandSpec
	if err := json.Unmarshal(raw, &spec); err != nil {
		return nil, err
	}
	if err := SetLinkUp("lo"); err != nil {
		return nil, err
	}
	_ = unix.Sethostname([]byte("guest"))
	stdin, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	stdout, err := openLine(0)
	if err != nil {
		return nil, err
	}
	stderr, err := openLine(1)
	if err != nil {
		return nil, err
	}
	for _, kv := range spec.Env {
		name, value, _ := strings.Cut(kv, "=")
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	if spec.Dir == "" {
		spec.Dir = "/"
	}
	r := NewReaper()
	proc, err := r.Start(Process{Argv: spec.Argv, Dir: spec.Dir, Env: os.Environ(), Files: []*os.File{stdin, stdout, stderr}})
	if err != nil {
		fmt.Fprintf(stderr, "lab: %v\n", err)
		drain(stdout, stderr)
		return commandResult{Exit: 127}, nil
	}
	exit := <-proc.Exit
	drain(stdout, stderr)
	return commandResult{Exit: exit}, nil
}

// openLine opens a serial line of the guest and makes it pass bytes as they are.
// A native guest has pipes in their place.
func openLine(n int) (*os.File, error) {
	if native {
		unix.CloseOnExec(firstLineFD + n)
		return os.NewFile(uintptr(firstLineFD+n), "line"), nil
	}
	f, err := os.OpenFile(fmt.Sprintf("/dev/ttyS%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("read line settings: %w", err)
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t); err != nil {
		return nil, fmt.Errorf("set line raw: %w", err)
	}
	return f, nil
}

func drain(lines ...*os.File) {
	for _, f := range lines {
		_ = unix.IoctlSetInt(int(f.Fd()), unix.TCSBRK, 1) // tcdrain(3)
	}
}

// SetLinkUp sets a link of this network namespace up.
func SetLinkUp(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, ifr); err != nil {
		return fmt.Errorf("read flags of %s: %w", name, err)
	}
	ifr.SetUint16(ifr.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}
