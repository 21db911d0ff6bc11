package frr

import "context"

// DaemonState is a daemon as it answers.
type DaemonState struct {
	Name    string
	Version string
	// Err is why it did not answer.
	Err error
	// Optional daemons hold nothing of ours.
	Optional bool
}

// Daemons asks every daemon that we configure for its version, in the order in which they are read. mgmtd is among them where it
// runs or is missed.
func (c *Client) Daemons(ctx context.Context) []DaemonState {
	routes := c.routesNow(ctx)
	var out []DaemonState
	for _, name := range daemonNames {
		s := DaemonState{Name: name, Optional: optional[name] && !routes.needs(name)}
		d := c.daemons[name]
		if s.Err = d.acquire(ctx); s.Err == nil {
			s.Version, s.Err = d.version(ctx)
			d.release()
		}
		if name != mgmtd || s.Err == nil || !s.Optional {
			out = append(out, s)
		}
	}
	return out
}
