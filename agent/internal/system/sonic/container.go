package sonic

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/agent/internal/system/linux"
	"github.com/pointsman/pointsman/pkg/frr"
)

// DefaultFRRConfig is /etc/frr/frr.conf of the container bgp, as the host sees it.
const DefaultFRRConfig = "/etc/sonic/frr/frr.conf"

// Container is where FRR runs on SONiC: docker's container bgp, whose sockets are not mapped to the host. They are reached all the same,
// through the root of the container's processes, so that FRR is spoken to as fast as beside it; `docker exec` would take a tenth of a
// second for each question. The root goes with the container, so the way is kept as a link that is laid anew.
type Container struct {
	// Name is bgp.
	Name string
	// Beside is where the sockets are where the agent runs beside FRR: in the container itself, or with the directory mapped.
	Beside string
	// Link is what is made to lead to them.
	Link string
	// Docker is the program that knows the container.
	Docker string
}

// FindContainer returns FRR's container on a host that has docker; ok is false where there is none, and FRR is beside the agent.
func FindContainer(beside, link string) (c Container, ok bool) {
	docker, err := exec.LookPath("docker")
	return Container{Name: "bgp", Beside: beside, Link: link, Docker: docker}, err == nil
}

// Programs is where FRR's own programs are run, which are in the container only. Files are handed to them in the directory of FRR's
// configuration, which the container has as its own.
func (c Container) Programs(configDir string) frrsystem.Elsewhere {
	const there = "/etc/frr"
	return frrsystem.Elsewhere{
		Command: []string{c.Docker, "exec", "-i", c.Name}, Sockets: "/var/run/frr", ConfigDir: there, Files: configDir, FilesThere: there,
	}
}

// zebraSocket is the socket that is there if any is.
const zebraSocket = "zebra.vty"

// Follow makes the link lead to FRR's sockets, unless it does. It asks docker only when they are not where they were.
func (c Container) Follow(ctx context.Context) error {
	if holdsSockets(c.Link) {
		return nil
	}
	target := c.Beside
	if !holdsSockets(target) {
		var err error
		if target, err = c.inside(ctx); err != nil {
			return fmt.Errorf("find FRR's sockets: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(c.Link), 0o755); err != nil {
		return fmt.Errorf("lay the way to FRR's sockets: %w", err)
	}
	if err := renameio.Symlink(target, c.Link); err != nil {
		return fmt.Errorf("lay the way to FRR's sockets: %w", err)
	}
	return nil
}

func holdsSockets(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, zebraSocket))
	return err == nil
}

// inside is the directory of the sockets seen through the root of the container's first process.
func (c Container) inside(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, c.Docker, "inspect", "--format", "{{.State.Pid}}", c.Name).CombinedOutput()
	pid := strings.TrimSpace(string(out))
	switch {
	case err != nil:
		return "", fmt.Errorf("ask docker for container %s: %w: %s", c.Name, err, pid)
	case pid == "0":
		return "", fmt.Errorf("container %s does not run: docker start %s", c.Name, c.Name)
	}
	for _, dir := range []string{"/run/frr", "/var/run/frr"} {
		if seen := filepath.Join("/proc", pid, "root", dir); holdsSockets(seen) {
			return seen, nil
		}
	}
	return "", fmt.Errorf("container %s (process %s) has no %s: FRR has not started in it", c.Name, pid, zebraSocket)
}

// followed is FRR behind a link that is laid anew before it is looked at.
type followed struct {
	linux.FRR
	container Container
}

// Followed keeps the way to FRR while it is looked at.
func (c Container) Followed(routing linux.FRR) linux.FRR { return followed{routing, c} }

// Running implements linux.FRR.
func (f followed) Running(ctx context.Context) (frr.Config, error) {
	if err := f.container.Follow(ctx); err != nil {
		return frr.Config{}, err
	}
	return f.FRR.Running(ctx)
}

// NameDevices is that of the FRR behind the link, if it has one.
func (f followed) NameDevices(device func(planned string) string) {
	if n, ok := f.FRR.(namer); ok {
		n.NameDevices(device)
	}
}

// AwaitVRF is that of the FRR behind the link, if it has one.
func (f followed) AwaitVRF(ctx context.Context, name string, index int) {
	if a, ok := f.FRR.(linux.Awaiter); ok {
		a.AwaitVRF(ctx, name, index)
	}
}
