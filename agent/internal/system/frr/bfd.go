package frr

import "context"

// StrictBFD reports whether bgpd keeps a session down for as long as BFD with the neighbour is down. BGP is to work without BFD, and has
// always done so but in FRR 10.2 to 10.2.2 and 10.3: there a neighbour whose BFD session is down counts as not configured while its BGP
// session is not up (peer_active in bgpd/bgpd.c; undone by FRR's pull requests 18562, 18681 and 18682). A neighbour that does not speak BFD
// then gets its session only if the first attempt succeeds before bfdd has said that BFD is down. Otherwise, and whenever the session ends
// later, bgpd resets what the neighbour opens and opens nothing itself, until the port goes down and up.
//
// If bgpd is away, it is what it last was.
func (c *Client) StrictBFD(ctx context.Context) bool { return strictBFD(c.lastVersion(ctx, bgpd)) }

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
