package frr

import (
	"context"
	"fmt"
	"strings"

	"github.com/pointsman/pointsman/pkg/frr"
)

// Apply sends changes in order, each to the daemon that it is for, and returns one error per change, nil if FRR accepted it. A
// refused line fails itself; what depends on it is the caller's matter. It does not outlast ctx. Sending again what FRR already
// has is harmless.
func (c *Client) Apply(ctx context.Context, changes []frr.Change) []error {
	errs := make([]error, len(changes))
	if len(changes) == 0 {
		return errs
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return fill(errs, err)
	}
	defer unlock()
	errs = c.write(ctx, c.writer, changes)
	c.fallBack(ctx, changes, errs)
	return errs
}

func (c *Client) write(ctx context.Context, writer string, changes []frr.Change) []error {
	switch writer {
	case WriterReload:
		return c.applyByReload(ctx, changes)
	case WriterShell:
		return c.applyByShell(ctx, changes)
	}
	return c.applyByVTY(ctx, changes)
}

// applyByVTY sends each change to its daemon, and a run of changes for one daemon together.
func (c *Client) applyByVTY(ctx context.Context, changes []frr.Change) []error {
	errs := make([]error, len(changes))
	routes := c.routesNow(ctx)
	c.awaitDevices(ctx, changes)
	for from := 0; from < len(changes); {
		owner := routes.of(changes[from])
		to := from + 1
		for to < len(changes) && routes.of(changes[to]) == owner {
			to++
		}
		c.applyTo(ctx, c.daemons[owner], changes[from:to], errs[from:to])
		from = to
	}
	c.dropCopies(ctx, routes)
	c.afterwards(ctx, routes, changes, errs)
	return errs
}

// fill gives every change the same error.
func fill(errs []error, err error) []error {
	for i := range errs {
		if errs[i] == nil {
			errs[i] = err
		}
	}
	return errs
}

// applyTo sends changes to one daemon, filters in batches.
func (c *Client) applyTo(ctx context.Context, d *daemon, changes []frr.Change, errs []error) {
	if err := d.acquire(ctx); err != nil {
		fill(errs, err)
		return
	}
	defer d.release()
	if d.name == mgmtd {
		c.transact(ctx, d, changes, errs)
		return
	}
	s, err := configure(ctx, d)
	if err != nil {
		fill(errs, fmt.Errorf("configure: %w", err))
		return
	}
	for from := 0; from < len(changes); {
		to := from + 1
		for to < len(changes) && isFilter(changes[to]) == isFilter(changes[from]) {
			to++
		}
		if isFilter(changes[from]) && to-from > 1 && !d.noBatch {
			s.batch(changes[from:to], errs[from:to])
		} else {
			s.each(changes[from:to], errs[from:to])
		}
		from = to
	}
	s.end()
}

// isFilter reports whether FRR keeps a change in its YANG-modelled part, where a command costs milliseconds that grow with the
// configuration unless commands come in a batch.
func isFilter(change frr.Change) bool {
	first := change.Line
	if len(change.Context) > 0 {
		first = change.Context[0]
	}
	return frr.IsOwnFilter(strings.TrimPrefix(first, "no "))
}

// dropCopies deletes our filters from daemons that do not use them, where vtysh left them at FRR's start: vtysh shows the union
// of all daemons, and would show a tenant's filters after the tenant left. What cannot be deleted does no harm.
func (c *Client) dropCopies(ctx context.Context, routes routes) {
	c.mu.Lock()
	copies := c.copies
	c.copies = map[string]frr.Config{}
	c.mu.Unlock()
	for name, config := range copies {
		var removals []frr.Change
		for _, l := range config.Lines {
			removals = append(removals, frr.Change{Line: "no " + l.Text, Stage: frr.StageFilterRemoval})
		}
		if len(removals) == 0 || name == zebra && routes.needs(mgmtd) {
			continue // what zebra has of mgmtd goes when it goes there
		}
		errs := make([]error, len(removals))
		c.applyTo(ctx, c.daemons[name], removals, errs)
		for i, err := range errs {
			if err != nil {
				c.log.Debug("copy of a filter stays", "daemon", name, "line", removals[i].Line, "error", err)
			}
		}
	}
}
