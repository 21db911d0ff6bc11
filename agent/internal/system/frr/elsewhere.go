package frr

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// ErrNoProgram is returned where one of FRR's programs is needed and this system does not have it.
var ErrNoProgram = errors.New("program not found")

// Elsewhere is a root in which FRR's programs are run: a container's, or another version's. The zero value is this system itself. What it
// leaves empty has the same name there as here.
type Elsewhere struct {
	// Command goes in front of a program: "docker", "exec", "-i", "bgp".
	Command []string
	// Sockets is what the directory of the daemons' sockets is called there.
	Sockets string
	// ConfigDir is what the directory of FRR's configuration is called there.
	ConfigDir string
	// Files is a directory in which files are handed over, by default that of temporary files, and FilesThere what it is called there.
	Files, FilesThere string
}

// program is one of FRR's programs, to be run.
func (e Elsewhere) program(ctx context.Context, path string, args ...string) (*exec.Cmd, error) {
	if len(e.Command) == 0 {
		found, err := exec.LookPath(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, ErrNoProgram)
		}
		return exec.CommandContext(ctx, found, args...), nil
	}
	argv := slices.Concat(e.Command, []string{path}, args)
	return exec.CommandContext(ctx, argv[0], argv[1:]...), nil
}

// withFile calls f with what a file is called there that holds text.
func (e Elsewhere) withFile(text string, f func(path string) error) error {
	file, err := os.CreateTemp(e.Files, ".pointsman-frr-*.conf")
	if err != nil {
		return fmt.Errorf("write FRR configuration: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write FRR configuration: %w", err)
	}
	if e.FilesThere == "" {
		return f(file.Name())
	}
	return f(filepath.Join(e.FilesThere, filepath.Base(file.Name())))
}
