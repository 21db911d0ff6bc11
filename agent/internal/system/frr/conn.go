package frr

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// conn is a connection to a daemon's vty socket. A command is sent with a NUL behind it; the answer is text, three NULs and a
// status, in whatever pieces it comes.
type conn struct {
	socket net.Conn
	read   *bufio.Reader
	// single: the daemon takes one command at a time.
	single bool
	// known is what the daemon at the other end, if it is zebra, said of its commands.
	known routes
	// version is what the daemon at the other end said of itself, "" before it was asked.
	version string
}

// Statuses of an answer, as FRR's lib/command.h has them. Those above statusWarning are refusals too.
const (
	statusSuccess   = 0
	statusWarning   = 1
	statusNoMatch   = 2
	statusMalformed = 255 // ours: no status came
)

// maxAnswer bounds an answer, in bytes: the configuration of 500 VRFs is about 1 MB, a full table in JSON far more.
const maxAnswer = 256 << 20

// patience is how long a daemon may take for one command when the caller set no deadline: a daemon that hangs must not hold the
// agent for ever. Long enough for bgpd to delete a large VRF.
const patience = 30 * time.Second

func dial(ctx context.Context, path string, single bool) (*conn, error) {
	var dialer net.Dialer
	socket, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	c := &conn{socket: socket, read: bufio.NewReaderSize(socket, 64<<10), single: single}
	if _, status, err := c.command(ctx, "enable"); err != nil || status != statusSuccess {
		socket.Close()
		return nil, errors.Join(err, refused("enable", "", status))
	}
	return c, nil
}

// answer is what a daemon says to one command.
type answer struct {
	text   string
	status byte
}

// command sends one command and reads the answer. After an error the connection is in an unknown state and must be closed.
func (c *conn) command(ctx context.Context, line string) (text string, status byte, err error) {
	answers, err := c.commands(ctx, []string{line})
	if err != nil {
		return "", statusMalformed, err
	}
	return answers[0].text, answers[0].status, nil
}

// commands sends commands at once and reads their answers. A daemon takes them one after the other from what it has read, so that
// both sides wait for each other once and not once a command, which is most of the time where they share a busy CPU.
func (c *conn) commands(ctx context.Context, lines []string) ([]answer, error) {
	for _, line := range lines {
		if strings.ContainsAny(line, "\x00\n\r") {
			return nil, fmt.Errorf("send %q: more than one line", line)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.socket.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	// The context alone ends the wait: a deadline on the socket too would race with it, and then say "timeout" of a caller's limit.
	stop := context.AfterFunc(ctx, func() { _ = c.socket.SetDeadline(time.Unix(1, 0)) })
	answers, err := c.exchange(lines)
	if !stop() && err == nil {
		err = context.Cause(ctx) // the deadline may yet be set, under the next command: this connection is done
	}
	return answers, cause(ctx, err)
}

func (c *conn) exchange(lines []string) ([]answer, error) {
	if c.single && len(lines) > 1 {
		first, err := c.exchange(lines[:1])
		if err != nil {
			return nil, err
		}
		rest, err := c.exchange(lines[1:])
		return append(first, rest...), err
	}
	var out []byte
	for _, line := range lines {
		out = append(append(out, line...), 0)
	}
	if _, err := c.socket.Write(out); err != nil {
		return nil, err
	}
	answers := make([]answer, len(lines))
	for i := range answers {
		var err error
		if answers[i].text, answers[i].status, err = readAnswer(c.read); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// cause tells a cancelled caller that it was cancelled, not that the socket timed out.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// readAnswer reads text up to three NULs, and the status behind them.
func readAnswer(r *bufio.Reader) (string, byte, error) {
	var text []byte
	for {
		piece, err := r.ReadSlice(0)
		text = append(text, piece...)
		if len(text) > maxAnswer {
			return "", statusMalformed, fmt.Errorf("answer is longer than %d bytes", maxAnswer)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return "", statusMalformed, unexpected(err)
		case bytes.HasSuffix(text, []byte{0, 0, 0}):
			status, err := r.ReadByte()
			return string(text[:len(text)-3]), status, unexpected(err)
		}
	}
}

// unexpected: a daemon that closes in the middle of an answer is no ordinary end.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (c *conn) close() error { return c.socket.Close() }

// RefusedError is a command that FRR did not accept.
type RefusedError struct {
	Line   string
	Answer string
	Status byte
}

func (e *RefusedError) Error() string {
	if e.Answer == "" {
		return fmt.Sprintf("FRR refused %q with status %d", e.Line, e.Status)
	}
	return fmt.Sprintf("FRR refused %q: %s", e.Line, e.Answer)
}

// refused returns an error if an answer is a refusal. A rejected batch, and what the daemons validate together, answers with
// status 0 and a text.
func refused(line, answer string, status byte) error {
	if status == statusSuccess && !strings.Contains(answer, "% Configuration failed") {
		return nil
	}
	return &RefusedError{Line: line, Answer: strings.Join(strings.Fields(answer), " "), Status: status}
}
