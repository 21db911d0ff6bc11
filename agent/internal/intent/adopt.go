package intent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// Adoption is noted in a file, so that it works whether the agent runs or not; the socket only tells a running one to look.
func note(stateDir string) string   { return filepath.Join(stateDir, "adopt") }
func socket(stateDir string) string { return filepath.Join(stateDir, "agent.sock") }

func adoptionNoted(stateDir string) bool {
	_, err := os.Stat(note(stateDir))
	return err == nil
}

// RequestAdoption asks the agent that keeps stateDir to follow the store as it now is, and returns what the agent says. Without
// a running agent the request waits for its next start.
func RequestAdoption(ctx context.Context, stateDir string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket(stateDir))
	if err != nil {
		if err := os.MkdirAll(stateDir, 0o700); err != nil {
			return "", fmt.Errorf("note adoption: %w", err)
		}
		if err := renameio.WriteFile(note(stateDir), nil, 0o600); err != nil {
			return "", fmt.Errorf("note adoption: %w", err)
		}
		// An agent that was just starting looks for the note when it listens: either it has seen it, or it listens now.
		if conn, err = new(net.Dialer).DialContext(ctx, "unix", socket(stateDir)); err != nil {
			return "no agent is running; it will adopt the store when it starts", nil
		}
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return "", fmt.Errorf("ask agent to adopt: %w", err)
		}
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return "", fmt.Errorf("ask agent to adopt: %w", err)
	}
	return strings.TrimSpace(string(answer)), nil
}

// ServeAdoption answers RequestAdoption until ctx ends. A connection is the request: only root reaches the socket.
func (f *Follower) ServeAdoption(ctx context.Context) error {
	if err := os.MkdirAll(f.stateDir, 0o700); err != nil {
		return fmt.Errorf("listen for adoption: %w", err)
	}
	if err := os.Remove(socket(f.stateDir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("listen for adoption: %w", err)
	}
	listener, err := net.Listen("unix", socket(f.stateDir))
	if err != nil {
		return fmt.Errorf("listen for adoption: %w", err)
	}
	if err := os.Chmod(socket(f.stateDir), 0o600); err != nil {
		_ = listener.Close()
		return fmt.Errorf("listen for adoption: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	if adoptionNoted(f.stateDir) { // perhaps since the store was judged
		select {
		case f.adoptions <- make(chan string, 1):
		case <-ctx.Done():
			return nil
		}
	}
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("listen for adoption: %w", err)
		}
		f.answer(ctx, conn)
	}
}

func (f *Follower) answer(ctx context.Context, conn net.Conn) {
	defer func() { _ = conn.Close() }()
	answer := make(chan string, 1)
	select {
	case f.adoptions <- answer:
		fmt.Fprintln(conn, <-answer)
	case <-time.After(10 * time.Second):
		fmt.Fprintln(conn, "the agent is busy; try again")
	case <-ctx.Done():
	}
}

// noteAdoption is the answer while there is no connection to etcd.
func (f *Follower) noteAdoption() string {
	if err := renameio.WriteFile(note(f.stateDir), nil, 0o600); err != nil {
		return fmt.Sprintf("cannot note the adoption: %v", err)
	}
	return "etcd is away; the store will be adopted when it is reached"
}

// adopt accepts the store as it is now.
func (f *Follower) adopt(m *mirror, emit func(Snapshot)) string {
	if doubt, adoptable := doubts(f.sw, f.last, m); doubt == "" {
		return fmt.Sprintf("nothing to adopt: store %s is being followed", f.last.storeUUID)
	} else if !adoptable {
		return "nothing that could be adopted: " + doubt
	}
	if err := renameio.WriteFile(note(f.stateDir), nil, 0o600); err != nil {
		return fmt.Sprintf("cannot note the adoption: %v", err)
	}
	v := f.take(m, emit)
	return fmt.Sprintf("adopted store %s at revision %d", v.last.storeUUID, v.last.revision)
}

// forgetAdoption: it was for one store, and must not wait for the next foreign one.
func (f *Follower) forgetAdoption() {
	if err := os.Remove(note(f.stateDir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.log.Error("the note of adoption stays", "file", note(f.stateDir), "err", err)
	}
}
