package frr

import (
	"context"
	"strconv"
	"strings"
)

// StrictBFD reports whether bgpd keeps a session down for as long as BFD with the neighbour is down. BGP is to work without BFD, and has
// always done so but in FRR 10.2 to 10.2.2 and 10.3: there a neighbour whose BFD session is down counts as not configured while its BGP
// session is not up (peer_active in bgpd/bgpd.c; undone by FRR's pull requests 18562, 18681 and 18682). A neighbour that does not speak BFD
// then gets its session only if the first attempt succeeds before bfdd has said that BFD is down. Otherwise, and whenever the session ends
// later, bgpd resets what the neighbour opens and opens nothing itself, until the port goes down and up.
//
// If bgpd is away, it is what it last was. It costs a command once per connection.
func (c *Client) StrictBFD(ctx context.Context) bool {
	version, err := c.versionOf(ctx, c.daemons[bgpd])
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.strictBFD = strictBFD(version)
	}
	return c.strictBFD
}

// versionOf is a daemon's version, which is asked once per connection: a daemon of another version comes with another connection.
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

// strictBFD says which versions are strict.
func strictBFD(version string) bool {
	numbers := versionNumbers(version)
	switch [2]int(numbers[:2]) {
	case [2]int{10, 2}:
		return numbers[2] < 3
	case [2]int{10, 3}:
		return numbers[2] < 1
	}
	return false
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
