package uml

import (
	"fmt"
	"io"
	"os/exec"
	"syscall"
)

// guard is a process that outlives this one if this one is killed, to end the guest and remove its files. The death signal
// alone reaches only the kernel's first process, and its helpers would stay.
type guard struct {
	cmd   *exec.Cmd
	alive io.WriteCloser // closed by our death at the latest
}

const guardScript = `read -r group && { read -r _; kill -KILL "-$group"; }; rm -rf -- "$1"`

func startGuard(dir string) (*guard, error) {
	cmd := exec.Command("/bin/sh", "-c", guardScript, "pointsman-guest-guard", dir)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // not ended by the terminal's Ctrl-C
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start guard: %w", err)
	}
	return &guard{cmd: cmd, alive: alive}, nil
}

// watch names the process group to end.
func (g *guard) watch(group int) { fmt.Fprintln(g.alive, group) }

// stop ends the guard without its acting.
func (g *guard) stop() {
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait()
	g.alive.Close()
}
