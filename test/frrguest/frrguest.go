// Package frrguest runs real FRR daemons for tests in the lab's guest: each set with sockets, files and log of its own, in the
// network namespace of the test, and of any version that the tests' TestMain has asked for. Tests call it; the lab starts its nodes'
// daemons itself.
package frrguest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// FRR is a running set of daemons.
type FRR struct {
	// Dir holds the vty sockets, the log file frr.log, and frr.conf.
	Dir     string
	Version Version
	netns   string
	root    string // where the version's programs are, "" in the guest's own root
	running map[string]process
}

// process is a daemon; exited is closed when it has ended.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// Start starts the daemons of the guest's own FRR, without any configuration, and ends them with the test. netns is the network
// namespace to start them in, "" the test's own.
func Start(t testing.TB, netns string) *FRR {
	t.Helper()
	return Debian12.Start(t, netns)
}

// Start starts the daemons of a version.
func (v Version) Start(t testing.TB, netns string) *FRR {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "frr") // a socket's path has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	f := &FRR{Dir: dir, Version: v, netns: netns, root: v.enter(t), running: map[string]process{}}
	own(t, dir)
	for name, text := range map[string]string{"frr.conf": "", "vtysh.conf": "service integrated-vtysh-config\n"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		own(t, path)
	}
	t.Cleanup(func() {
		for _, name := range slices.Backward(v.Daemons) {
			f.Kill(t, name)
		}
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "frr.log"))
			t.Logf("FRR's log ends with:\n%s", log[max(0, len(log)-4000):])
		}
		_ = os.RemoveAll(dir)
	})
	for _, name := range v.Daemons {
		f.StartDaemon(t, name)
	}
	return f
}

// Command goes in front of a program of this FRR's version.
func (f *FRR) Command() []string {
	if f.root == "" {
		return nil
	}
	return []string{"chroot", f.root}
}

// own gives a path to user frr, who the daemons run as.
func own(t testing.TB, path string) {
	t.Helper()
	u, err := user.Lookup("frr")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
}

// StartDaemon starts one daemon and waits until it listens on its socket.
func (f *FRR) StartDaemon(t testing.TB, name string) {
	t.Helper()
	argv := append(f.Command(),
		"/usr/lib/frr/"+name, "-u", "frr", "-g", "frr", "-A", "127.0.0.1", "-P", "0",
		"-i", filepath.Join(f.Dir, name+".pid"), "-z", filepath.Join(f.Dir, "zserv.api"), "--vty_socket", f.Dir,
		"--log", "file:"+filepath.Join(f.Dir, "frr.log"), "--log-level", "debugging", "--command-log-always",
	)
	if !slices.Contains(f.Version.withoutFile, name) {
		argv = append(argv, "-f", "/dev/null")
	}
	if name == "bfdd" && f.Version.release == nil { // later ones have no such option
		argv = append(argv, "--bfdctl", filepath.Join(f.Dir, "bfdd.sock"))
	}
	if f.netns != "" {
		argv = append([]string{"ip", "netns", "exec", f.netns}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := process{cmd, make(chan struct{})}
	f.running[name] = p
	go func() {
		_ = cmd.Wait()
		close(p.exited)
	}()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if s, err := net.Dial("unix", filepath.Join(f.Dir, name+".vty")); err == nil {
			s.Close()
			return
		}
		select {
		case <-p.exited:
			t.Fatalf("%s ended at once:\n%s", name, &out)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen after a minute", name)
		}
	}
}

// Kill ends a daemon at once, as a crash would.
func (f *FRR) Kill(t testing.TB, name string) {
	t.Helper()
	p, ok := f.running[name]
	if !ok {
		return
	}
	delete(f.running, name)
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// Signal sends a daemon a signal.
func (f *FRR) Signal(t testing.TB, name string, signal os.Signal) {
	t.Helper()
	if err := f.running[name].cmd.Process.Signal(signal); err != nil {
		t.Fatalf("signal %s: %v", name, err)
	}
}

// Alive reports whether a daemon that was started and not killed still runs.
func (f *FRR) Alive(name string) bool {
	p, ok := f.running[name]
	if !ok {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Shell runs vtysh and returns what it prints.
func (f *FRR) Shell(args ...string) (string, error) {
	argv := slices.Concat(f.Command(), []string{"vtysh", "--vty_socket", f.Dir, "--config_dir", f.Dir}, args)
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("vtysh %q: %w", args, err)
	}
	return string(out), nil
}

// Load gives vtysh a configuration to send to the daemons. While daemons join it, mgmtd is locked; that is waited for.
func (f *FRR) Load(text string) (string, error) {
	path := filepath.Join(f.Dir, "load.conf")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return "", err
	}
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		out, err := f.Shell("-f", path)
		if !strings.Contains(out, "locked by another session") || time.Now().After(until) {
			return out, err
		}
	}
}

// Log returns what the daemons logged from an offset on, and the log's length: the offset for the next time.
func (f *FRR) Log(from int) (string, int) {
	log, _ := os.ReadFile(filepath.Join(f.Dir, "frr.log"))
	return string(log[min(from, len(log)):]), len(log)
}
