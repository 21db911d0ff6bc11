package frr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pointsman/pointsman/pkg/frr"
)

// mgmtd (FRR 10) differs from all others in three ways. It answers a command when zebra has carried it out, and forgets what else it has
// read by then, so that commands are sent one at a time. It has a lock, which a batch needs, and which keeps everybody else out. And it
// says of a batch what is wrong with it, but not where.
const (
	lockMgmtd = "configure terminal file-lock"
	// lockPatience is how long somebody else's lock is waited for.
	lockPatience = 2 * time.Second
)

// transact sends changes to mgmtd, but for what others than mgmtd would refuse.
func (c *Client) transact(ctx context.Context, d *daemon, changes []frr.Change, errs []error) {
	left, places := c.refuse(ctx, changes, errs)
	if len(left) == 0 {
		return
	}
	said := make([]error, len(left))
	transact(ctx, d, left, said)
	for i, err := range said {
		errs[places[i]] = err
	}
}

// transact sends changes to mgmtd as one transaction. If it is refused, they are sent one by one.
func transact(ctx context.Context, d *daemon, changes []frr.Change, errs []error) {
	s, locked, err := configureLocked(ctx, d)
	if err != nil {
		fill(errs, fmt.Errorf("configure: %w", err))
		return
	}
	defer s.end()
	if !locked {
		s.each(changes, errs)
		return
	}
	s.batch(changes, errs)
}

// configureLocked enters configuration mode under mgmtd's lock. Versions that have none are configured without.
func configureLocked(ctx context.Context, d *daemon) (s *session, locked bool, err error) {
	s = &session{ctx: ctx, daemon: d}
	until := time.Now().Add(lockPatience)
	for {
		answers, err := d.sendAll(ctx, []string{"end", lockMgmtd}, true)
		if err != nil {
			return nil, false, err
		}
		err = s.refused(lockMgmtd, answers[1])
		if err == nil {
			return s, true, nil
		}
		if isUnknown(err) {
			return s, false, s.send("configure terminal")
		}
		if time.Now().After(until) {
			return nil, false, fmt.Errorf("somebody else configures FRR: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, false, errors.Join(context.Cause(ctx), err)
		case <-time.After(lockPoll):
		}
	}
}

// isLocked reports whether mgmtd did not carry out a line outside of a batch because it did not get its lock, which each such line takes for
// itself: a back end that joins has the lock for a moment whenever nobody else has, and a human may.
func isLocked(err error) bool {
	var refusal *RefusedError
	return errors.As(err, &refusal) && strings.Contains(refusal.Answer, "could not lock")
}

// oneByOne prepares for sending again, one by one, what a daemon rejected as a batch. mgmtd 10.3 keeps the rejected transaction open, and
// aborts if it is configured on over the same connection. To close that is no way out: with any session that is closed, mgmtd takes back what
// another has not committed yet, under whose commit zebra was seen to get empty values, and nothing tells when it sees a connection closed.
func (s *session) oneByOne() {
	if s.daemon.name != mgmtd || s.broken != nil {
		return
	}
	s.inside = nil
	if err := errors.Join(s.sendAll([]string{"mgmt commit abort", "end", "configure terminal"})...); err != nil && s.broken == nil {
		s.broken = err
	}
}
