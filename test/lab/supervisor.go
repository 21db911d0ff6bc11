package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/test/lab/uml"
)

// ServiceAction is what Fabric.Service may ask of a node's service.
type ServiceAction string

const (
	ActionStart  ServiceAction = "start"
	ActionStop   ServiceAction = "stop" // SIGTERM, SIGKILL two seconds later; it stays stopped
	ActionKill   ServiceAction = "kill" // one signal; if it ends, it is started again
	ActionStatus ServiceAction = "status"
)

// ServiceStatus is the state of one service of a node.
type ServiceStatus struct {
	Name     string
	Running  bool
	Stopped  bool // by ActionStop
	Pid      int  // in the node
	Starts   int
	LastExit int
	Since    time.Time // start of the running process
}

const (
	restartBackoff = time.Second
	stopGrace      = 2 * time.Second
	// A program that ends by itself this soon after its start, as one with a wrong configuration does, waits twice as long each
	// time, so that it does not take the guest's one CPU from all others.
	tooSoon           = 5 * time.Second
	maxRestartBackoff = 16 * time.Second
)

// backoff is how long a service that ran for a while and ended with exit waits, if it waited last before.
func backoff(ran time.Duration, exit int, last time.Duration) time.Duration {
	const signal = 128 // it was killed: what a test does, or an operator
	if ran >= tooSoon || exit >= signal || last == 0 {
		return restartBackoff
	}
	return min(2*last, maxRestartBackoff)
}

// supervisor keeps a node's services running.
type supervisor struct {
	services   []*supervised
	readyLimit time.Duration
}

type supervised struct {
	Service
	reaper *uml.Reaper
	wake   chan struct{}
	ready  chan struct{} // closed when it was ready for the first time
	base   *supervised   // what it is bound to
	bound  []*supervised // what is bound to it

	mu     sync.Mutex
	status ServiceStatus
	up     chan struct{} // closed while it serves
}

func newSupervisor(reaper *uml.Reaper, spec nodeSpec) *supervisor {
	s := &supervisor{readyLimit: spec.ReadyLimit}
	for _, service := range spec.Services {
		s.services = append(s.services, &supervised{
			Service: service, reaper: reaper, wake: make(chan struct{}, 1), ready: make(chan struct{}), up: make(chan struct{}),
			status: ServiceStatus{Name: service.Name},
		})
	}
	for _, service := range s.services {
		if base, err := s.find(service.BoundTo); err == nil {
			service.base = base
			base.bound = append(base.bound, service)
		}
	}
	return s
}

// start starts the services one after the other, each when the one before it is ready.
func (s *supervisor) start() error {
	for _, service := range s.services {
		go service.run()
		select {
		case <-service.ready:
		case <-time.After(s.readyLimit):
			return fmt.Errorf("start service %s: not ready after %v: %s", service.Name, s.readyLimit, service.lastLog())
		}
	}
	return nil
}

func (s *supervisor) find(name string) (*supervised, error) {
	for _, service := range s.services {
		if service.Name == name {
			return service, nil
		}
	}
	return nil, fmt.Errorf("no service %q on this node", name)
}

// run starts the service for ever.
func (s *supervised) run() {
	once := sync.OnceFunc(func() { close(s.ready) })
	var wait time.Duration
	for {
		s.awaitBase()
		start := time.Now()
		if s.wanted() {
			exit := s.runOnce(once)
			wait = backoff(time.Since(start), exit, wait)
		}
		if s.Once {
			once()
			return
		}
		if s.wanted() {
			select {
			case <-time.After(wait):
			case <-s.wake:
			}
		} else {
			<-s.wake
		}
	}
}

// awaitBase waits until the service that this one is bound to serves.
func (s *supervised) awaitBase() {
	if s.base == nil {
		return
	}
	s.base.mu.Lock()
	up := s.base.up
	s.base.mu.Unlock()
	<-up
}

// serves marks a service whose process is ready.
func (s *supervised) serves(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status.Pid == pid {
		close(s.up)
	}
}

// ended marks a service that has ended, and ends what is bound to it.
func (s *supervised) ended(exit int) {
	s.mu.Lock()
	s.status.Running, s.status.Pid, s.status.LastExit = false, 0, exit
	select {
	case <-s.up:
		s.up = make(chan struct{})
	default:
	}
	s.mu.Unlock()
	for _, service := range s.bound {
		_ = service.signal(unix.SIGTERM) // one that does not run starts after this one anyway
	}
}

func (s *supervised) wanted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.status.Stopped
}

// notStarted is the exit code of a service that could not be started.
const notStarted = 127

// runOnce starts the service and returns its exit code when it has ended.
func (s *supervised) runOnce(ready func()) int {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return notStarted
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return notStarted
	}
	defer null.Close()
	serves, stop, env, err := s.readiness()
	if err != nil {
		fmt.Fprintf(log, "lab: %v\n", err)
		return notStarted
	}
	defer stop()
	child, err := s.reaper.Start(uml.Process{
		Argv: s.Command, Dir: "/", Env: slices.Concat(os.Environ(), env, s.Env), Files: []*os.File{null, log, log}, Attr: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		fmt.Fprintf(log, "lab: %v\n", err)
		return notStarted
	}
	s.mu.Lock()
	s.status.Running, s.status.Pid, s.status.Since = true, child.Pid, time.Now()
	s.status.Starts++
	s.mu.Unlock()
	go func() {
		if serves() == nil {
			s.configure(log)
			s.serves(child.Pid)
			ready()
		}
	}()
	exit := <-child.Exit
	s.ended(exit)
	return exit
}

// readiness prepares to hear that a process that is yet to be started serves. The process gets env; wait ends when it serves, or with stop.
func (s *supervised) readiness() (wait func() error, stop func(), env []string, err error) {
	switch {
	case s.Notify:
		path := filepath.Join("/run", s.Name+".notify")
		if wait, stop, err = listenReady(path); err != nil {
			return nil, nil, nil, fmt.Errorf("listen on %s: %w", path, err)
		}
		return wait, stop, []string{"NOTIFY_SOCKET=" + path}, nil
	case s.Ready != "":
		_ = os.Remove(s.Ready) // what a killed process left would say "ready" too early
		if wait, stop, err = watchFile(s.Ready); err != nil {
			return nil, nil, nil, fmt.Errorf("watch %s: %w", s.Ready, err)
		}
		return wait, stop, nil, nil
	case s.Once:
		return func() error { return errors.New("it serves nothing") }, func() {}, nil, nil
	}
	return func() error { return nil }, func() {}, nil, nil
}

// listenReady hears what a process tells of its state (sd_notify(3)); wait blocks until it is ready, or stop is called.
func listenReady(path string) (wait func() error, stop func(), err error) {
	_ = os.Remove(path)
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, nil, err
	}
	wait = func() error {
		buf := make([]byte, 4096)
		for {
			n, err := socket.Read(buf)
			if err != nil {
				return err
			}
			if saysReady(string(buf[:n])) {
				return nil
			}
		}
	}
	return wait, func() { _ = socket.Close() }, nil
}

// saysReady reads a message, which has a variable a line.
func saysReady(message string) bool { return slices.Contains(strings.Split(message, "\n"), "READY=1") }

// configure gives a service that is ready its saved configuration.
func (s *supervised) configure(log *os.File) {
	if len(s.Configure) == 0 {
		return
	}
	if _, err := os.Stat(s.ConfigureIf); err != nil {
		return
	}
	child, err := s.reaper.Start(uml.Process{Argv: s.Configure, Dir: "/", Env: os.Environ(), Files: []*os.File{log, log, log}})
	if err != nil {
		fmt.Fprintf(log, "lab: configure: %v\n", err)
		return
	}
	if exit := <-child.Exit; exit != 0 {
		fmt.Fprintf(log, "lab: configure: %s exited with %d\n", s.Configure[0], exit)
	}
}

func (s *supervised) logFile() string { return filepath.Join("/var/log", s.Name+".log") }

func (s *supervised) lastLog() string {
	text, _ := os.ReadFile(s.logFile())
	return string(bytes.TrimSpace(text[max(0, len(text)-400):]))
}

// act does what a request asks of services and writes status as JSON lines.
func (s *supervisor) act(req request, out io.Writer) error {
	if req.Action == ActionStatus {
		encoder := json.NewEncoder(out)
		for _, service := range s.services {
			service.mu.Lock()
			status := service.status
			service.mu.Unlock()
			if err := encoder.Encode(status); err != nil {
				return err
			}
		}
		return nil
	}
	service, err := s.find(req.Service)
	if err != nil {
		return err
	}
	switch req.Action {
	case ActionStart:
		return service.setStopped(false)
	case ActionStop:
		return service.stop()
	case ActionKill:
		return service.signal(unix.Signal(req.Signal))
	default:
		return fmt.Errorf("unknown action %q on a service", req.Action)
	}
}

func (s *supervised) setStopped(stopped bool) error {
	s.mu.Lock()
	s.status.Stopped = stopped
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

func (s *supervised) signal(sig unix.Signal) error {
	s.mu.Lock()
	pid := s.status.Pid
	s.mu.Unlock()
	if pid == 0 {
		return fmt.Errorf("service %s is not running", s.Name)
	}
	return unix.Kill(pid, sig)
}

// stop ends the service and returns when it has ended.
func (s *supervised) stop() error {
	s.mu.Lock()
	s.status.Stopped = true
	s.mu.Unlock()
	deadline := time.Now().Add(stopGrace)
	sig := unix.SIGTERM
	for sent := false; ; time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		pid := s.status.Pid
		s.mu.Unlock()
		if pid == 0 {
			return nil
		}
		if !sent {
			_ = unix.Kill(pid, sig)
			sent = true
		}
		if sig == unix.SIGTERM && time.Now().After(deadline) {
			sig, sent = unix.SIGKILL, false
		}
	}
}

// watchFile watches for the creation of a file. The watch is set when it returns; wait blocks until the file is there, or
// stop is called.
func watchFile(path string) (wait func() error, stop func(), err error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, nil, err
	}
	events := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		events.Close()
		return nil, nil, err
	}
	wait = func() error {
		buf := make([]byte, 64*(unsafe.Sizeof(unix.InotifyEvent{})+unix.NAME_MAX+1))
		for {
			if _, err := os.Stat(path); err == nil || !errors.Is(err, os.ErrNotExist) {
				return err
			}
			if _, err := events.Read(buf); err != nil {
				return err
			}
		}
	}
	return wait, func() { events.Close() }, nil
}
