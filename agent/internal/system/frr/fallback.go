package frr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/pointsman/pointsman/pkg/frr"
)

// writers in the order in which they are tried.
var writers = []string{WriterVTY, WriterShell, WriterReload}

// fallBack gives what no daemon knew to the next writer, and what that one did not bring about to the last: an FRR whose commands have
// moved to daemons that we do not know of is configured all the same. What FRR understood and refused stays refused. The last is slow,
// so it is not asked twice for the same.
func (c *Client) fallBack(ctx context.Context, changes []frr.Change, errs []error) {
	for _, writer := range writers[slices.Index(writers, c.writer)+1:] {
		var left []int
		var lost []frr.Change
		for i, err := range errs {
			if isUnknown(err) || errors.Is(err, fs.ErrPermission) {
				left, lost = append(left, i), append(lost, changes[i])
			}
		}
		if len(left) == 0 || writer == WriterReload && c.hasFailed(lost) {
			return
		}
		c.log.Warn("FRR did not take commands where they were sent, another way is tried", "writer", writer, "commands", len(left), "first", lost[0].String(), "error", errs[left[0]])
		failed := false
		for i, err := range c.write(ctx, writer, lost) {
			if err == nil {
				errs[left[i]] = nil
				continue
			}
			failed = true
			c.log.Warn("FRR did not take a command that way either", "writer", writer, "command", lost[i].String(), "error", err)
		}
		if failed && writer == WriterReload {
			c.setFailed(lost)
		}
	}
}

// isUnknown reports whether a daemon has no such command, as against one that it refuses.
func isUnknown(err error) bool {
	var refusal *RefusedError
	return errors.As(err, &refusal) && refusal.Status == statusNoMatch
}

func (c *Client) hasFailed(changes []frr.Change) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed == fmt.Sprint(changes)
}

func (c *Client) setFailed(changes []frr.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = fmt.Sprint(changes)
}

// applyByShell has vtysh carry changes out, and reads back what became of each.
func (c *Client) applyByShell(ctx context.Context, changes []frr.Change) []error {
	return c.readBack(ctx, changes, func(frr.Config) error {
		return c.elsewhere.withFile(frr.Script(changes), func(path string) error {
			cmd, err := c.elsewhere.program(ctx, "vtysh", "--vty_socket", cmp.Or(c.elsewhere.Sockets, c.dir), "-f", path)
			if err != nil {
				return err
			}
			out, err := cmd.CombinedOutput()
			if err != nil || strings.Contains(string(out), "% ") {
				return fmt.Errorf("vtysh: %w", errors.Join(cause(ctx, err), lineErrorOf(out)))
			}
			return nil
		})
	})
}

// readBack calls write, which is told what ran before, and gives those changes an error that afterwards FRR does not run.
func (c *Client) readBack(ctx context.Context, changes []frr.Change, write func(before frr.Config) error) []error {
	errs := make([]error, len(changes))
	before, err := c.Running(ctx)
	if err != nil {
		return fill(errs, err)
	}
	wish := frr.Patch(before, changes)
	wrote := write(before)
	after, err := c.Running(ctx)
	if err != nil {
		return fill(errs, errors.Join(wrote, err))
	}
	if after.Equal(wish) {
		return errs
	}
	for i, change := range changes {
		if wish.Reflects(change) && !after.Reflects(change) {
			errs[i] = errors.Join(&RefusedError{Line: change.Line}, wrote)
		}
	}
	return errs
}
