package frr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

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
	decoder := json.NewDecoder(strings.NewReader(text))
	for {
		var members map[string]json.RawMessage
		if err := decoder.Decode(&members); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("parse routes: %w", err)
		}
		failed, err := failedRoutes(members)
		if err != nil {
			return nil, err
		}
		out = append(out, failed...)
	}
}

func failedRoutes(members map[string]json.RawMessage) ([]system.FailedRoute, error) {
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
			var inner map[string]json.RawMessage
			if err := json.Unmarshal(raw, &inner); err != nil {
				return nil, fmt.Errorf("parse routes of VRF %q: %w", name, err)
			}
			routes, err := failedRoutes(inner)
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
