package frr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pointsman/pointsman/pkg/frr"
)

// session is a daemon in configuration mode: it knows which context the next line would be taken in.
type session struct {
	ctx    context.Context
	daemon *daemon
	inside []string
	broken error // the connection was lost: nothing more can be sent
	// batching: between the two ends of a batch, where a context is left by entering the next.
	batching bool
}

// configure enters configuration mode. Nothing has been sent yet, so a connection left behind may be made anew.
func configure(ctx context.Context, d *daemon) (*session, error) {
	s := &session{ctx: ctx, daemon: d}
	// An earlier caller that gave up may have left the connection in some context.
	answers, err := d.sendAll(ctx, []string{"end", "configure terminal"}, true)
	if err != nil {
		return nil, err
	}
	return s, s.refused("configure terminal", answers[1])
}

// send sends one line and returns an error if it was refused. One that mgmtd did not look at, as somebody had its lock, is sent again.
func (s *session) send(line string) error {
	for until := time.Now().Add(lockPatience); ; {
		err := s.exchange([]string{line})[0]
		if !isLocked(err) || time.Now().After(until) {
			return err
		}
		select {
		case <-s.ctx.Done():
			return errors.Join(context.Cause(s.ctx), err)
		case <-time.After(lockPoll):
		}
	}
}

// sendAll sends lines, and returns an error for each that was refused. mgmtd takes one at a time.
func (s *session) sendAll(lines []string) []error {
	if s.daemon.name != mgmtd {
		return s.exchange(lines)
	}
	errs := make([]error, len(lines))
	for i, line := range lines {
		errs[i] = s.send(line)
	}
	return errs
}

// exchange sends lines together.
func (s *session) exchange(lines []string) []error {
	errs := make([]error, len(lines))
	if s.broken != nil {
		return fill(errs, s.broken)
	}
	answers, err := s.daemon.sendAll(s.ctx, lines, false)
	if err != nil {
		s.broken = err
		return fill(errs, err)
	}
	for i, line := range lines {
		errs[i] = s.refused(line, answers[i])
	}
	return errs
}

func (s *session) refused(line string, a answer) error {
	if err := refused(line, a.text, a.status); err != nil {
		return fmt.Errorf("%s: %w", s.daemon.name, err)
	}
	return nil
}

// together is how many lines are sent at once, so that neither side's socket buffer ever fills.
const together = 64

// each sends changes in order, those of one context together.
func (s *session) each(changes []frr.Change, errs []error) {
	for from := 0; from < len(changes); {
		to := from + 1
		for to < len(changes) && to-from < together && !changes[to-1].Opens() && slices.Equal(changes[to].Context, changes[from].Context) {
			to++
		}
		s.run(changes[from:to], errs[from:to])
		from = to
	}
}

// run sends changes of one context, of which at most the last opens another.
func (s *session) run(changes []frr.Change, errs []error) {
	if err := s.enter(changes[0].Context); err != nil {
		for i, change := range changes {
			errs[i] = fmt.Errorf("enter the context of %q: %w", change, err)
		}
		return
	}
	lines := make([]string, len(changes))
	for i, change := range changes {
		lines[i] = change.Line
	}
	copy(errs, s.sendAll(lines))
	if last := len(changes) - 1; errs[last] == nil && changes[last].Opens() {
		s.inside = append(s.inside, lines[last])
	}
}

// enter leaves the contexts that the next line is not in, and enters those that it is in.
func (s *session) enter(context []string) error {
	common := 0
	for common < min(len(s.inside), len(context)) && s.inside[common] == context[common] {
		common++
	}
	exits := slices.Repeat([]string{"exit"}, len(s.inside)-common)
	if s.batching && common == 0 {
		// To leave a context commits what was collected, and each commit costs as much as the whole batch should. A daemon that does not
		// find a line in a context looks for it at the top by itself.
		exits = nil
		s.inside = nil
	}
	lines := append(exits, context[common:]...)
	if len(lines) == 0 {
		return nil
	}
	err := errors.Join(s.sendAll(lines)...)
	switch {
	case err == nil:
		s.inside = slices.Clone(context)
		return nil
	case s.broken != nil:
		return s.broken
	}
	// Where this leaves the daemon depends on which line it refused: begin again from the top.
	s.inside = nil
	if again := errors.Join(s.sendAll([]string{"end", "configure terminal"})...); again != nil && s.broken == nil {
		s.broken = again
	}
	return err
}

// batch sends changes as one transaction of the daemon. If the daemon rejects it, it does not say which line is to blame (and
// answers status 0), so they are then sent one by one.
func (s *session) batch(changes []frr.Change, errs []error) {
	if err := s.enter(nil); err != nil {
		fill(errs, err)
		return
	}
	text, status, err := s.daemon.send(s.ctx, "XFRR_start_configuration", false)
	if err != nil {
		s.broken = err
		fill(errs, err)
		return
	}
	if status == statusNoMatch {
		s.daemon.noBatch = true
		s.each(changes, errs)
		return
	}
	if err := refused("XFRR_start_configuration", text, status); err != nil {
		fill(errs, err)
		return
	}
	s.batching = true
	s.each(changes, errs)
	s.batching = false
	if !s.commit() {
		s.oneByOne()
		s.each(changes, errs)
	}
}

// commit ends a batch and reports whether all of it was taken. If the connection was lost, to send the changes again gives each
// of them that error.
func (s *session) commit() bool {
	if s.broken != nil {
		return false
	}
	s.inside = nil // found at the top too, and left there
	text, status, err := s.daemon.send(s.ctx, "XFRR_end_configuration", false)
	if err != nil {
		s.broken = err
		return false
	}
	return status == statusSuccess && text == ""
}

// end leaves configuration mode, whatever became of the changes. A daemon that cannot do even that gets a new connection.
func (s *session) end() {
	if s.broken == nil {
		if err := s.send("end"); err != nil && !errors.Is(err, s.broken) {
			s.daemon.drop()
		}
	}
}
