package frr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// daemon is one of FRR's programs, and the connection to it if there is one. Whoever acquired it may use it.
type daemon struct {
	name, socket string
	turn         chan struct{} // holds one token: a mutex that gives up when a context ends
	conn         *conn
	noBatch      bool // this daemon has no batches
}

func newDaemon(name, socket string) *daemon {
	d := &daemon{name: name, socket: socket, turn: make(chan struct{}, 1)}
	d.turn <- struct{}{}
	return d
}

func (d *daemon) acquire(ctx context.Context) error {
	select {
	case <-d.turn:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", d.name, context.Cause(ctx))
	}
}

func (d *daemon) release() { d.turn <- struct{}{} }

// send sends one command.
func (d *daemon) send(ctx context.Context, line string, fresh bool) (string, byte, error) {
	answers, err := d.sendAll(ctx, []string{line}, fresh)
	if err != nil {
		return "", statusMalformed, err
	}
	return answers[0].text, answers[0].status, nil
}

// sendAll sends commands together. A connection that a restarted daemon left behind is made anew, once, and only if the daemon cannot
// have seen the commands; any other error loses the connection with all the state that it had.
func (d *daemon) sendAll(ctx context.Context, lines []string, fresh bool) ([]answer, error) {
	if d.conn == nil {
		if err := d.connect(ctx); err != nil {
			return nil, err
		}
		fresh = false
	}
	answers, err := d.conn.commands(ctx, lines)
	if err == nil {
		return answers, nil
	}
	d.drop()
	if fresh && isGone(err) {
		return d.sendAll(ctx, lines, false)
	}
	return nil, fmt.Errorf("%s: %w", d.name, err)
}

func (d *daemon) connect(ctx context.Context) error {
	c, err := dial(ctx, d.socket, d.name == mgmtd)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", d.name, err)
	}
	d.conn = c
	return nil
}

func (d *daemon) drop() {
	if d.conn != nil {
		_ = d.conn.close()
		d.conn = nil
	}
}

// isGone reports whether a daemon closed its end.
func isGone(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// show sends a command that changes nothing, so it may be sent again to a daemon that restarted.
func (d *daemon) show(ctx context.Context, line string) (string, error) {
	text, status, err := d.send(ctx, line, true)
	if err != nil {
		return "", err
	}
	if err := refused(line, text, status); err != nil {
		return "", fmt.Errorf("%s: %w", d.name, err)
	}
	return text, nil
}

// absent reports whether there is nobody to speak to, as against a daemon that does not answer.
func absent(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// close waits for whoever uses the daemon, then closes the connection.
func (d *daemon) close() error {
	<-d.turn
	defer d.release()
	d.drop()
	return nil
}

// version returns what the daemon says of itself: "8.4.4".
func (d *daemon) version(ctx context.Context) (string, error) {
	text, err := d.show(ctx, "show version")
	if err != nil {
		return "", err
	}
	return parseVersion(text)
}

// parseVersion reads "FRRouting 8.4.4 (leaf1) on Linux(6.1.0)."
func parseVersion(text string) (string, error) {
	words := strings.Fields(text)
	for i, word := range words {
		if word == "FRRouting" && i+1 < len(words) {
			return words[i+1], nil
		}
	}
	return "", fmt.Errorf("parse FRR version: none in %.60q", text)
}

// Version returns FRR's version: "8.4.4".
func (c *Client) Version(ctx context.Context) (string, error) {
	d := c.daemons[zebra]
	if err := d.acquire(ctx); err != nil {
		return "", err
	}
	defer d.release()
	return d.version(ctx)
}
