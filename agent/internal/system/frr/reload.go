package frr

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pointsman/pointsman/pkg/frr"
)

// ErrNoProgram is returned where one of FRR's programs is needed and this system does not have it.
var ErrNoProgram = errors.New("program not found")

// reloadScript is where FRR's packages put it.
const reloadScript = "/usr/lib/frr/frr-reload.py"

// DryRun has vtysh read a configuration without telling any daemon. It finds what is no command, and nothing else.
func (c *Client) DryRun(ctx context.Context, text string) error {
	vtysh, err := exec.LookPath("vtysh")
	if err != nil {
		return fmt.Errorf("dry run of FRR configuration: vtysh: %w", ErrNoProgram)
	}
	return withFile(text, func(path string) error {
		out, err := exec.CommandContext(ctx, vtysh, "--dryrun", "--inputfile", path).CombinedOutput()
		if err != nil {
			return fmt.Errorf("dry run of FRR configuration: %w: %w", cause(ctx, err), lineErrorOf(out))
		}
		return nil
	})
}

// Reload makes FRR run a whole configuration, by FRR's own frr-reload.py, after a dry run. What text does not have is taken
// away, whoever it belongs to.
func (c *Client) Reload(ctx context.Context, text string) error {
	if _, err := os.Stat(reloadScript); err != nil {
		return fmt.Errorf("reload FRR: %s: %w", reloadScript, ErrNoProgram)
	}
	if err := c.DryRun(ctx, text); err != nil {
		return err
	}
	return withFile(text, func(path string) error {
		out, err := exec.CommandContext(ctx, reloadScript, "--reload", "--stdout", "--vty_socket", c.dir, "--confdir", filepath.Dir(c.configFile), path).CombinedOutput()
		if err != nil {
			return fmt.Errorf("reload FRR: %w: %s", cause(ctx, err), oneLine(out))
		}
		return nil
	})
}

// applyByReload carries changes out on the text of what runs, reloads that, and reads back what became of each.
func (c *Client) applyByReload(ctx context.Context, changes []frr.Change) []error {
	errs := make([]error, len(changes))
	before, err := c.Running(ctx)
	if err != nil {
		return fill(errs, err)
	}
	wish := frr.Patch(before, changes)
	reloadErr := c.Reload(ctx, wish.String())
	after, err := c.Running(ctx)
	if err != nil {
		return fill(errs, errors.Join(reloadErr, err))
	}
	if after.Equal(wish) {
		return errs
	}
	for i, change := range changes {
		if wish.Reflects(change) && !after.Reflects(change) {
			errs[i] = errors.Join(&RefusedError{Line: change.Line}, reloadErr)
		}
	}
	return errs
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
