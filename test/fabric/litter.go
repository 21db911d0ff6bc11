package fabric

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// scratch is a directory that goes when this process ends, whichever way: a process of its own waits for that, since a test that
// runs into its time limit or is killed cleans nothing up.
type scratch struct {
	path  string
	keeps io.Closer // closed by our death at the latest
	cmd   *exec.Cmd
}

// The control plane, which writes there, dies by signal a moment after us.
const sweeper = `read -r _; sleep 1; rm -rf -- "$1"`

func newScratch() (*scratch, error) {
	path, err := os.MkdirTemp("", "pointsman-fabric-")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", sweeper, "pointsman-fabric-sweeper", path)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // not ended by the terminal's Ctrl-C
	keeps, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start sweeper: %w", err), os.Remove(path))
	}
	return &scratch{path: path, keeps: keeps, cmd: cmd}, nil
}

// remove removes the directory now.
func (s *scratch) remove() error {
	err := os.RemoveAll(s.path)
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.keeps.Close()
	return err
}
