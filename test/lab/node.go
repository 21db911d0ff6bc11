package lab

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/test/lab/uml"
)

// A node's process 1. Its parent, the guest's init, made it in namespaces of its own (network, mount, UTS, PID), gave it a
// listening socket as descriptor 3 and its spec as a file, and makes its links while it makes its root.

const nodeEnv = "POINTSMAN_NODE" // the node's name, for its process 1 alone

const listenerFD = 3

func nodeDir(name string) string    { return filepath.Join("/run/lab/nodes", name) }
func nodeSocket(name string) string { return filepath.Join(nodeDir(name), "socket") }

type node struct {
	spec       nodeSpec
	reaper     *uml.Reaper
	supervisor *supervisor
}

func nodeMain(name string) error {
	if err := os.Unsetenv(nodeEnv); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(nodeDir(name), "spec.json"))
	if err != nil {
		return err
	}
	var spec nodeSpec
	if err := json.Unmarshal(text, &spec); err != nil {
		return err
	}
	if err := enterNodeRoot(spec); err != nil {
		return err
	}
	listener, err := net.FileListener(os.NewFile(listenerFD, "requests"))
	if err != nil {
		return err
	}
	n := &node{spec: spec, reaper: uml.NewReaper()}
	n.supervisor = newSupervisor(n.reaper, spec)
	return serve(listener, n.handle)
}

// enterNodeRoot gives the node its root: a Debian root, the guest's or another, under an overlay of its own, so that each node has its
// own /etc and /var, with its own /run and /tmp.
func enterNodeRoot(spec nodeSpec) error {
	if err := unix.Sethostname([]byte(spec.Name)); err != nil {
		return fmt.Errorf("set hostname: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	root, disk := filepath.Join(nodeDir(spec.Name), "root"), filepath.Join(nodeDir(spec.Name), "disk")
	_, err := os.Stat(disk)
	firstBoot := errors.Is(err, os.ErrNotExist)
	if err := uml.MountRoot(cmp.Or(spec.Root, uml.Lower), root, disk); err != nil {
		return err
	}
	mounts := []uml.Mount{
		{Source: "proc", Target: "/proc", Type: "proc"},
		{Source: "sysfs", Target: "/sys", Type: "sysfs"},
		{Source: "/dev", Target: "/dev", Flags: unix.MS_BIND | unix.MS_REC},
		{Source: "run", Target: "/run", Type: "tmpfs", Data: "mode=755"},
		{Source: "tmp", Target: "/tmp", Type: "tmpfs", Data: "mode=1777"},
	}
	if spec.Binaries != "" {
		mounts = append(mounts, uml.Mount{Source: spec.Binaries, Target: "/usr/local/bin", Flags: unix.MS_BIND})
	}
	for _, m := range mounts {
		m.Target = filepath.Join(root, m.Target)
		if err := m.Do(); err != nil {
			return err
		}
	}
	if err := uml.PivotRoot(root); err != nil {
		return err
	}
	if err := uml.MakeServiceDirs(""); err != nil {
		return err
	}
	if err := newBootID(); err != nil {
		return err
	}
	if !firstBoot {
		return nil // its disk holds what it held
	}
	return writeNodeFiles(spec)
}

// newBootID gives a node an identity of its boot, which on its own machine its kernel would make.
func newBootID() error {
	const mine, kernels = "/run/boot_id", "/proc/sys/kernel/random/boot_id"
	if err := os.WriteFile(mine, []byte(uuid.NewString()+"\n"), 0o444); err != nil {
		return fmt.Errorf("write boot id: %w", err)
	}
	if err := unix.Mount(mine, kernels, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s over %s: %w", mine, kernels, err)
	}
	return nil
}

func writeNodeFiles(spec nodeSpec) error {
	// FRR starts empty here; the file of Debian's package would be taken for a saved configuration.
	if err := os.Remove("/etc/frr/frr.conf"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	files := map[string]string{
		"/etc/hostname": spec.Name + "\n",
		"/etc/hosts":    "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 " + spec.Name + "\n",
	}
	for path, text := range spec.Files {
		files[path] = text
	}
	for path, text := range files {
		if err := writeFile(path, 0o644, strings.NewReader(text)); err != nil {
			return err
		}
	}
	for path, target := range spec.Links {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(target, path); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) handle(req request, f *framer, gone context.Context) (response, error) {
	switch req.Op {
	case opConfigure:
		if err := configureNode(n.spec); err != nil {
			return response{}, err
		}
		return response{}, n.supervisor.start()
	case opService:
		return response{}, n.supervisor.act(req, frameWriter{f, frameStdout})
	case opLink:
		return response{}, setLink(req.Port, req.Up)
	case opBlackhole:
		return response{}, setBlackhole(!req.Up)
	default:
		return handleCommon(n.reaper, req, f, gone)
	}
}

// handleCommon serves what the guest's root namespace and a node have in common.
func handleCommon(reaper *uml.Reaper, req request, f *framer, gone context.Context) (response, error) {
	switch req.Op {
	case opExec:
		return execute(reaper, req, f, gone)
	case opDial:
		return response{}, tunnel(req, f, gone)
	case opRead:
		return response{}, readFile(req.Path, frameWriter{f, frameStdout})
	case opWrite:
		return response{}, receiveFile(req, f)
	default:
		return response{}, fmt.Errorf("unknown operation %q", req.Op)
	}
}

// execute runs a program and passes its input, output and exit code. If the client goes away, its process group is killed.
func execute(reaper *uml.Reaper, req request, f *framer, gone context.Context) (response, error) {
	if len(req.Argv) == 0 {
		return response{}, errors.New("no program given")
	}
	var ours, theirs [3]*os.File
	defer func() {
		for _, file := range append(ours[:], theirs[:]...) {
			file.Close()
		}
	}()
	for i := range ours {
		r, w, err := os.Pipe()
		if err != nil {
			return response{}, err
		}
		if i == 0 {
			ours[i], theirs[i] = w, r
		} else {
			ours[i], theirs[i] = r, w
		}
	}
	child, err := reaper.Start(uml.Process{
		Argv: req.Argv, Dir: cmp.Or(req.Dir, "/"), Env: append(os.Environ(), req.Env...), Files: theirs[:], Attr: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return response{Exit: 127}, err
	}
	for _, file := range theirs {
		file.Close()
	}
	gone, cancel := context.WithCancel(gone)
	defer cancel()
	go f.feed(ours[0], cancel)
	copied := make(chan struct{}, 2)
	for i, kind := range []byte{frameStdout, frameStderr} {
		go func() {
			copyOutput(frameWriter{f, kind}, ours[i+1])
			copied <- struct{}{}
		}()
	}
	var exit int
	select {
	case exit = <-child.Exit:
	case <-gone.Done():
		_ = unix.Kill(-child.Pid, unix.SIGKILL)
		exit = <-child.Exit
	}
	awaitOutput(copied, ours[1:])
	return response{Exit: exit}, nil
}

// copyOutput passes a program's output on until its end, or until awaitOutput's deadline finds the pipe empty.
func copyOutput(w io.Writer, pipe *os.File) {
	buf := make([]byte, pipeSize)
	for late := 0; late < 2; {
		n, err := pipe.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			// What was in the pipe when the program ended must not be lost because the client is slow: once more.
			late++
			_ = pipe.SetReadDeadline(time.Now().Add(drainGrace))
		} else if err != nil {
			return
		}
	}
}

const pipeSize = 64 << 10 // Linux's

// awaitOutput waits until the program's output is passed on, but not for children that keep it open.
func awaitOutput(copied <-chan struct{}, pipes []*os.File) {
	for _, p := range pipes {
		_ = p.SetReadDeadline(time.Now().Add(drainGrace))
	}
	for range pipes {
		<-copied
	}
}

// tunnel connects to a TCP address from the node and passes bytes both ways.
func tunnel(req request, f *framer, gone context.Context) error {
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		if req.Device == "" {
			return nil
		}
		var err error
		if ctlErr := c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), req.Device) }); ctlErr != nil {
			return ctlErr
		}
		return err
	}}
	conn, err := dialer.DialContext(gone, "tcp", req.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := f.write(frameStdout, nil); err != nil { // connected
		return err
	}
	go f.feed(halfCloser{conn.(*net.TCPConn)}, func() { conn.Close() })
	_, err = io.Copy(frameWriter{f, frameStdout}, conn)
	return err
}

// halfCloser is a connection whose Close ends only what is sent.
type halfCloser struct{ *net.TCPConn }

func (c halfCloser) Close() error { return c.CloseWrite() }

func readFile(path string, w io.Writer) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(w, file)
	return err
}

func receiveFile(req request, f *framer) error {
	r, w := io.Pipe()
	go f.feed(w, func() { w.CloseWithError(io.ErrUnexpectedEOF) })
	err := writeFile(req.Path, os.FileMode(req.Mode), r)
	r.CloseWithError(err)
	return err
}

// writeFile writes a file so that a reader sees the old or the new one, and makes the directories above it.
func writeFile(path string, mode os.FileMode, content io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	err = errors.Join(err, file.Chmod(mode), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}
