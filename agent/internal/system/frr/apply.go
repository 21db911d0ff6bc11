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
	if c.writer == WriterReload {
		return c.applyByReload(ctx, changes)
	}
	c.awaitDevices(ctx, changes)
	for from := 0; from < len(changes); {
		to := from + 1
		for to < len(changes) && owner(changes[to]) == owner(changes[from]) {
			to++
		}
		c.applyTo(ctx, c.daemons[owner(changes[from])], changes[from:to], errs[from:to])
		from = to
	}
	c.dropCopies(ctx)
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

// owner is the daemon that carries out a change.
func owner(change frr.Change) string {
	first := change.Line
	if len(change.Context) > 0 {
		first = change.Context[0]
	}
	first = strings.TrimPrefix(first, "no ")
	switch word, _, _ := strings.Cut(first, " "); word {
	case "vrf", "interface":
		return zebra
	case "bfd":
		return bfdd
	}
	return bgpd
}

// applyTo sends changes to one daemon, filters in batches.
func (c *Client) applyTo(ctx context.Context, d *daemon, changes []frr.Change, errs []error) {
	if err := d.acquire(ctx); err != nil {
		fill(errs, err)
		return
	}
	defer d.release()
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
func (c *Client) dropCopies(ctx context.Context) {
	c.mu.Lock()
	copies := c.copies
	c.copies = map[string]frr.Config{}
	c.mu.Unlock()
	for name, config := range copies {
		var removals []frr.Change
		for _, l := range config.Lines {
			removals = append(removals, frr.Change{Line: "no " + l.Text, Stage: frr.StageFilterRemoval})
		}
		if len(removals) == 0 {
			continue
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
