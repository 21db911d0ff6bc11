package frr

import (
	"context"
	"errors"
	"fmt"

	"github.com/pointsman/pointsman/pkg/frr"
)

// Running returns what FRR runs, merged from its daemons. If a daemon that matters cannot be read, the configuration is
// unknown, and the error names the daemon.
func (c *Client) Running(ctx context.Context) (frr.Config, error) {
	var whole frr.Config
	var errs []error
	copies := map[string]frr.Config{}
	for _, name := range daemonNames {
		text, err := c.show(ctx, name, "show running-config")
		if optional[name] && absent(err) {
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read running configuration: %w", err))
			continue
		}
		part, err := frr.Parse(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("read running configuration of %s: %w", name, err))
			continue
		}
		own, foreign := apart(name, part)
		copies[name] = foreign
		whole.Lines = append(whole.Lines, own.Lines...)
	}
	if err := errors.Join(errs...); err != nil {
		return frr.Config{}, err
	}
	c.mu.Lock()
	c.copies = copies
	c.mu.Unlock()
	return whole, nil
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
