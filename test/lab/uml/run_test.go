package uml_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pointsman/pointsman/test/lab/debroot"
	"github.com/pointsman/pointsman/test/lab/uml"
)

func TestMain(m *testing.M) {
	uml.Main(map[string]uml.Mode{uml.CommandMode: uml.RunCommand})
	os.Exit(m.Run())
}

func guest(t *testing.T) uml.Config {
	t.Helper()
	root, err := debroot.Ensure(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return uml.Config{Root: root, Memory: "256M"}
}

func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	random := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
	if err := os.WriteFile(filepath.Join(dir, "file"), random, 0o644); err != nil {
		t.Fatal(err)
	}
	c := guest(t)
	c.ReadOnly = []string{dir}
	var stdout, stderr bytes.Buffer
	script := `cat file; echo complaint >&2; touch file 2>/dev/null && echo written; touch /etc/x || exit 1; read -r line && exit 2; exit 7`
	exit, err := uml.Run(t.Context(), c, uml.Command{Argv: []string{"sh", "-c", script}, Dir: dir, Stdout: &stdout, Stderr: &stderr, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if exit != 7 {
		t.Errorf("exit code %d, want 7", exit)
	}
	if !bytes.Equal(stdout.Bytes(), random) {
		t.Errorf("%d bytes of output differ from the file's %d", stdout.Len(), len(random))
	}
	if stderr.String() != "complaint\n" {
		t.Errorf("errors %q", &stderr)
	}
}

func TestTimeLimit(t *testing.T) {
	t.Parallel()
	_, err := uml.Run(t.Context(), guest(t), uml.Command{Argv: []string{"sleep", "1000"}, Stdout: os.Stdout, Stderr: os.Stderr, Timeout: 3 * time.Second})
	if !errors.Is(err, uml.ErrTimeout) {
		t.Errorf("error %v, want the time limit", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := uml.Run(ctx, guest(t), uml.Command{Argv: []string{"true"}, Stdout: os.Stdout, Stderr: os.Stderr}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestUnknownCommand(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	exit, err := uml.Run(t.Context(), guest(t), uml.Command{Argv: []string{"no-such-program"}, Stdout: os.Stdout, Stderr: &stderr, Timeout: time.Minute})
	if err != nil || exit != 127 || !strings.Contains(stderr.String(), "no-such-program") {
		t.Errorf("exit code %d, error %v, errors %q", exit, err, &stderr)
	}
}
