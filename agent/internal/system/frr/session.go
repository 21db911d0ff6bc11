package frr

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pointsman/pointsman/pkg/frr"
)

// session is a daemon in configuration mode: it knows which context the next line would be taken in.
type session struct {
	ctx    context.Context
	daemon *daemon
	inside []string
	broken error // the connection was lost: nothing more can be sent
}

// configure enters configuration mode. Nothing has been sent yet, so a connection left behind may be made anew.
func configure(ctx context.Context, d *daemon) (*session, error) {
	s := &session{ctx: ctx, daemon: d}
	// An earlier caller that gave up may have left the connection in some context.
	if _, _, err := d.send(ctx, "end", true); err != nil {
		return nil, err
	}
	return s, s.send("configure terminal")
}

// send sends one line and returns an error if it was refused.
func (s *session) send(line string) error {
	if s.broken != nil {
		return s.broken
	}
	text, status, err := s.daemon.send(s.ctx, line, false)
	if err != nil {
		s.broken = err
		return err
	}
	if err := refused(line, text, status); err != nil {
		return fmt.Errorf("%s: %w", s.daemon.name, err)
	}
	return nil
}

// each sends changes one by one.
func (s *session) each(changes []frr.Change, errs []error) {
	for i, change := range changes {
		errs[i] = s.change(change)
	}
}

func (s *session) change(change frr.Change) error {
	if err := s.enter(change.Context); err != nil {
		return fmt.Errorf("enter the context of %q: %w", change, err)
	}
	if err := s.send(change.Line); err != nil {
		return err
	}
	if change.Opens() {
		s.inside = append(s.inside, change.Line)
	}
	return nil
}

// enter leaves the contexts that the next line is not in, and enters those that it is in.
func (s *session) enter(context []string) error {
	for len(s.inside) > len(context) || !slices.Equal(s.inside, context[:len(s.inside)]) {
		if err := s.send("exit"); err != nil {
			return err
		}
		s.inside = s.inside[:len(s.inside)-1]
	}
	for _, line := range context[len(s.inside):] {
		if err := s.send(line); err != nil {
			return err
		}
		s.inside = append(s.inside, line)
	}
	return nil
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
	s.each(changes, errs)
	if !s.commit() {
		s.each(changes, errs)
	}
}

// commit ends a batch and reports whether all of it was taken. If the connection was lost, to send the changes again gives each
// of them that error.
func (s *session) commit() bool {
	if err := s.enter(nil); err != nil {
		return false
	}
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
