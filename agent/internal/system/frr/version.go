package frr

import (
	"context"
	"strconv"
	"strings"
)

// lastVersion is a daemon's version as it last said, "" if it has never been reached. It costs a command once per connection: a daemon of
// another version comes with another connection.
func (c *Client) lastVersion(ctx context.Context, daemon string) string {
	version, err := c.versionOf(ctx, c.daemons[daemon])
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.versions[daemon] = version
	}
	return c.versions[daemon]
}

func (c *Client) versionOf(ctx context.Context, d *daemon) (string, error) {
	if err := d.acquire(ctx); err != nil {
		return "", err
	}
	defer d.release()
	if d.conn != nil && d.conn.version != "" {
		return d.conn.version, nil
	}
	version, err := d.version(ctx)
	if err == nil {
		d.conn.version = version
	}
	return version, err
}

// versionNumbers reads versions such as "8.4.4", "10.3", "10.3.1" and "10.2.2_git".
func versionNumbers(version string) (numbers [3]int) {
	for i, part := range strings.SplitN(version, ".", len(numbers)) {
		end := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' })
		if end >= 0 {
			part = part[:end]
		}
		numbers[i], _ = strconv.Atoi(part) // none is 0
	}
	return numbers
}
