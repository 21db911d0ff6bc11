package uml

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Reaper starts the children of a process 1 and reaps them together with the orphans it inherits. os/exec cannot be used
// beside it: both would wait for the same processes.
type Reaper struct {
	mu      sync.Mutex
	waiting map[int]chan<- int
	child   *sync.Cond // a child exists
}

// Process is a program to start.
type Process struct {
	Argv  []string
	Dir   string
	Env   []string
	Files []*os.File // descriptors 0, 1, 2, ...
	Attr  *syscall.SysProcAttr
}

// Child is a started process.
type Child struct {
	Pid  int
	Exit <-chan int // its exit code, once; 128 + the signal's number if a signal ended it
}

func NewReaper() *Reaper {
	r := &Reaper{waiting: map[int]chan<- int{}}
	r.child = sync.NewCond(&r.mu)
	go r.run()
	return r
}

// Start starts a program. A name without a slash is looked up in PATH.
func (r *Reaper) Start(p Process) (*Child, error) {
	path := p.Argv[0]
	if found, err := exec.LookPath(path); err == nil {
		path = found
	}
	attr := &syscall.ProcAttr{Dir: p.Dir, Env: p.Env, Sys: p.Attr}
	for _, f := range p.Files {
		attr.Files = append(attr.Files, f.Fd())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := syscall.ForkExec(path, p.Argv, attr)
	runtime.KeepAlive(p.Files)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Argv[0], err)
	}
	exit := make(chan int, 1)
	r.waiting[pid] = exit
	r.child.Broadcast()
	return &Child{Pid: pid, Exit: exit}, nil
}

func (r *Reaper) run() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.ECHILD):
			r.mu.Lock()
			if len(r.waiting) == 0 {
				r.child.Wait()
			}
			r.mu.Unlock()
		case err == nil:
			r.mu.Lock()
			if exit, ok := r.waiting[pid]; ok {
				exit <- exitCode(status)
				delete(r.waiting, pid)
			}
			r.mu.Unlock()
		}
	}
}

func exitCode(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
