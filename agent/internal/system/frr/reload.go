package frr

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pointsman/pointsman/pkg/frr"
)

// ErrNoProgram is returned where one of FRR's programs is needed and this system does not have it.
var ErrNoProgram = errors.New("program not found")

// reloadScript is where FRR's packages put it.
const reloadScript = "/usr/lib/frr/frr-reload.py"

// program is one of FRR's programs, to be run.
func (c *Client) program(ctx context.Context, path string, args ...string) (*exec.Cmd, error) {
	if len(c.command) == 0 {
		found, err := exec.LookPath(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, ErrNoProgram)
		}
		return exec.CommandContext(ctx, found, args...), nil
	}
	argv := slices.Concat(c.command, []string{path}, args)
	return exec.CommandContext(ctx, argv[0], argv[1:]...), nil
}

// DryRun has vtysh read a configuration without telling any daemon. It finds what is no command, and nothing else.
func (c *Client) DryRun(ctx context.Context, text string) error {
	return withFile(text, func(path string) error {
		cmd, err := c.program(ctx, "vtysh", "--dryrun", "--inputfile", path)
		if err != nil {
			return fmt.Errorf("dry run of FRR configuration: %w", err)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("dry run of FRR configuration: %w: %w", cause(ctx, err), lineErrorOf(out))
		}
		return nil
	})
}

// Reload makes FRR run a whole configuration, by FRR's own frr-reload.py, after a dry run. What text does not have is taken
// away, whoever it belongs to.
func (c *Client) Reload(ctx context.Context, text string) error {
	if err := c.DryRun(ctx, text); err != nil {
		return err
	}
	return withFile(text, func(path string) error {
		cmd, err := c.program(ctx, reloadScript, "--reload", "--stdout", "--vty_socket", c.dir, "--confdir", filepath.Dir(c.configFile), path)
		if err != nil {
			return fmt.Errorf("reload FRR: %w", err)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("reload FRR: %w: %s", cause(ctx, err), oneLine(out))
		}
		return nil
	})
}

// applyByReload carries changes out on the text of what runs, reloads that, and reads back what became of each.
func (c *Client) applyByReload(ctx context.Context, changes []frr.Change) []error {
	return c.readBack(ctx, changes, func(before frr.Config) error {
		return c.Reload(ctx, frr.Patch(before, changes).String())
	})
}

// withFile calls f with the path of a file that holds text.
func withFile(text string, f func(path string) error) error {
	file, err := os.CreateTemp("", "pointsman-frr-*.conf")
	if err != nil {
		return fmt.Errorf("write FRR configuration: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write FRR configuration: %w", err)
	}
	return f(file.Name())
}

// oneLine is the end of a program's output, for an error.
func oneLine(out []byte) string {
	text := strings.Join(strings.Fields(string(out)), " ")
	if len(text) > 2000 {
		text = "… " + text[len(text)-2000:]
	}
	return text
}
