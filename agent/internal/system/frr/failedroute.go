package frr

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/pointsman/pointsman/agent/internal/system"
)

// FailedRoutes are the routes that zebra has selected and the kernel has refused, of all VRFs. zebra does not try them again.
func (c *Client) FailedRoutes(ctx context.Context) ([]system.FailedRoute, error) {
	var out []system.FailedRoute
	for _, family := range []string{"ip", "ipv6"} {
		text, err := c.show(ctx, zebra, "show "+family+" route vrf all json")
		if err != nil {
			return nil, fmt.Errorf("read routes: %w", err)
		}
		routes, err := parseFailedRoutes(text)
		if err != nil {
			return nil, err
		}
		out = append(out, routes...)
	}
	return out, nil
}

// parseFailedRoutes reads the answer: prefixes with the routes of each, VRFs one after the other (8.4) or in an object of VRFs (10).
func parseFailedRoutes(text string) ([]system.FailedRoute, error) {
	var out []system.FailedRoute
	for raw, err := range jsonValues(text) {
		if err != nil {
			return nil, fmt.Errorf("parse routes: %w", err)
		}
		failed, err := failedRoutes(raw)
		if err != nil {
			return nil, err
		}
		out = append(out, failed...)
	}
	return out, nil
}

// failedRoutes reads an object whose members are lists of routes, or objects like it.
func failedRoutes(object json.RawMessage) ([]system.FailedRoute, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, fmt.Errorf("parse routes: %w", err)
	}
	type routeJSON struct {
		Prefix   netip.Prefix `json:"prefix"`
		Protocol string       `json:"protocol"`
		Selected bool         `json:"selected"`
		Failed   bool         `json:"failed"`
		Table    uint32       `json:"table"`
		Group    uint32       `json:"nexthopGroupId"`
	}
	var out []system.FailedRoute
	for name, raw := range members {
		if raw[0] == '{' {
			routes, err := failedRoutes(raw)
			if err != nil {
				return nil, err
			}
			out = append(out, routes...)
			continue
		}
		var routes []routeJSON
		if err := json.Unmarshal(raw, &routes); err != nil {
			return nil, fmt.Errorf("parse routes for %q: %w", name, err)
		}
		for _, r := range routes {
			if r.Failed && r.Selected {
				out = append(out, system.FailedRoute{Table: r.Table, Prefix: r.Prefix, Protocol: r.Protocol, Group: r.Group})
			}
		}
	}
	return out, nil
}
