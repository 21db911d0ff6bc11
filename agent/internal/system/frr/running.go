package frr

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/pointsman/pointsman/pkg/frr"
)

// Running returns what FRR runs, merged from its daemons. If a daemon that matters cannot be read, the configuration is
// unknown, and the error names the daemon.
func (c *Client) Running(ctx context.Context) (frr.Config, error) {
	parts, errs := make([]frr.Config, len(daemonNames)), make([]error, len(daemonNames))
	var reading sync.WaitGroup
	for i, name := range daemonNames {
		reading.Go(func() { parts[i], errs[i] = c.runningOf(ctx, name) })
	}
	reading.Wait()
	routes := c.routesNow(ctx)
	for i, name := range daemonNames {
		if optional[name] && absent(errs[i]) && !routes.needs(name) {
			errs[i] = nil
		}
	}
	if err := errors.Join(errs...); err != nil {
		return frr.Config{}, err
	}
	var whole frr.Config
	copies := map[string]frr.Config{}
	for i, name := range daemonNames {
		own, foreign := apart(name, parts[i])
		copies[name] = foreign
		whole.Lines = append(whole.Lines, own.Lines...)
	}
	c.mu.Lock()
	c.copies = copies
	c.mu.Unlock()
	return whole, nil
}

// runningOf is what one daemon runs.
func (c *Client) runningOf(ctx context.Context, name string) (frr.Config, error) {
	text, err := c.show(ctx, name, "show running-config")
	if err != nil {
		return frr.Config{}, fmt.Errorf("read running configuration: %w", err)
	}
	part, err := frr.Parse(text)
	if err != nil {
		return frr.Config{}, fmt.Errorf("read running configuration of %s: %w", name, err)
	}
	return part, nil
}

// apart takes our filters out of what a daemon runs that does not use them: vtysh gives every filter to every daemon, and the
// copies of the others say nothing of what is in force.
func apart(daemon string, running frr.Config) (own, copies frr.Config) {
	for _, l := range running.Lines {
		if frr.IsOwnFilter(l.Text) && daemon != bgpd {
			copies.Lines = append(copies.Lines, l)
		} else {
			own.Lines = append(own.Lines, l)
		}
	}
	return own, copies
}
