package frr

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/pointsman/pointsman/pkg/frr"
)

// reloadScript is where FRR's packages put it.
const reloadScript = "/usr/lib/frr/frr-reload.py"

// DryRun has vtysh read a configuration without telling any daemon. It finds what is no command, and nothing else.
func (c *Client) DryRun(ctx context.Context, text string) error {
	return c.elsewhere.withFile(text, func(path string) error {
		cmd, err := c.elsewhere.program(ctx, "vtysh", "--dryrun", "--inputfile", path)
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
	return c.elsewhere.withFile(text, func(path string) error {
		cmd, err := c.elsewhere.program(ctx, reloadScript, "--reload", "--stdout", "--vty_socket", cmp.Or(c.elsewhere.Sockets, c.dir),
			"--confdir", cmp.Or(c.elsewhere.ConfigDir, filepath.Dir(c.configFile)), path)
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

// oneLine is the end of a program's output, for an error.
func oneLine(out []byte) string {
	text := strings.Join(strings.Fields(string(out)), " ")
	if len(text) > 2000 {
		text = "… " + text[len(text)-2000:]
	}
	return text
}
