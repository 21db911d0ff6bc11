package frr

import (
	"context"
	"fmt"
	"strings"

	"github.com/pointsman/pointsman/pkg/frr"
)

// routes say which daemon takes what zebra took until FRR 9.
type routes struct {
	interfaces string // router advertisements
	vrfs       string // VNIs
}

// routes asks zebra, once per connection, whether it still knows the commands; if not, they are mgmtd's. A daemon of another version
// comes with another connection.
func (c *Client) routes(ctx context.Context) (routes, error) {
	d := c.daemons[zebra]
	if err := d.acquire(ctx); err != nil {
		return routes{}, err
	}
	defer d.release()
	if d.conn != nil && d.conn.known != (routes{}) {
		return d.conn.known, nil
	}
	r := routes{mgmtd, mgmtd}
	for _, known := range []struct {
		command, node string
		by            *string
	}{{"ra-interval", "(interface)", &r.interfaces}, {"vni", "(vrf)", &r.vrfs}} {
		text, err := d.show(ctx, "find "+known.command)
		if err != nil {
			return routes{}, fmt.Errorf("ask what zebra knows: %w", err)
		}
		if takes(text, known.node) {
			*known.by = zebra
		}
	}
	d.conn.known = r
	return r, nil
}

// routesNow are the routes, or those that were last known if zebra is away: what is for others need not wait for it.
func (c *Client) routesNow(ctx context.Context) routes {
	r, err := c.routes(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.known = r
	}
	return c.known
}

// takes reads the answer to "find": a line per command, with the context in front of it.
func takes(found, node string) bool {
	for line := range strings.Lines(found) {
		if strings.HasPrefix(strings.TrimSpace(line), node) {
			return true
		}
	}
	return false
}

// of is the daemon that carries out a change. Filters are bgpd's, who uses them, whoever else may keep some.
func (r routes) of(change frr.Change) string {
	first := change.Line
	if len(change.Context) > 0 {
		first = change.Context[0]
	}
	first = strings.TrimPrefix(first, "no ")
	switch word, _, _ := strings.Cut(first, " "); word {
	case "vrf":
		return r.vrfs
	case "interface":
		return r.interfaces
	case "bfd":
		return bfdd
	}
	return bgpd
}

// needs reports whether some configuration is only to be had from a daemon.
func (r routes) needs(daemon string) bool { return r.interfaces == daemon || r.vrfs == daemon }
