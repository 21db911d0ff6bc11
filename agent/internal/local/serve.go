package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// ErrRunning means that another agent answers on the socket.
var ErrRunning = errors.New("another agent answers there")

// answerTimeout is how long an answer may take: a dry run looks at the whole switch.
const answerTimeout = 30 * time.Second

// Serve answers on a unix socket until ctx ends. The socket that a killed agent left behind is replaced, that of a living one is not.
func Serve(ctx context.Context, socket string, source Source) error {
	listener, err := listen(socket)
	if err != nil {
		return fmt.Errorf("answer on %s: %w", socket, err)
	}
	server := &http.Server{Handler: handler(source), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); ctx.Err() == nil {
		return fmt.Errorf("answer on %s: %w", socket, err)
	}
	return nil
}

func listen(socket string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		return nil, err
	}
	if conn, err := net.DialTimeout("unix", socket, time.Second); err == nil {
		_ = conn.Close()
		return nil, ErrRunning
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		_ = listener.Close()
		return nil, err
	}
	return listener, nil
}

func handler(source Source) http.Handler {
	mux := http.NewServeMux()
	answer(mux, "/status", source.Status)
	answer(mux, "/intent", source.Intent)
	answer(mux, "/diff", source.Steps)
	answer(mux, "/neighbours", source.Neighbours)
	return mux
}

func answer[V any](mux *http.ServeMux, path string, ask func(context.Context) (V, error)) {
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerTimeout)
		defer cancel()
		v, err := ask(ctx)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // who asked has gone
	})
}

// notRunning tells that nobody is there, from that somebody may not be asked.
func notRunning(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED)
}
