package command

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/pointsman/pointsman/test/simswitch"
)

// server is a real control plane, with the switches of testdata/switches.yaml simulated in its etcd.
type server struct {
	GRPC string   `json:"grpc"`
	Etcd []string `json:"etcd"`

	etcd     *clientv3.Client
	switches map[string]*simswitch.Switch
}

// built is where the control plane's binary is, once a test needed it.
var built = filepath.Join(os.TempDir(), fmt.Sprintf("pointsmanctl-test-%d", os.Getpid()))

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(built)
	os.Exit(code)
}

// controlplane builds the control plane at its first call. It is asked for as a binary, since its packages are behind a wall.
var controlplane = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(built, "pointsman-controlplane")
	if out, err := exec.Command("go", "build", "-o", binary, "../../../controlplane").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the control plane: %w\n%s", err, out)
	}
	return binary, nil
})

// startServer starts a control plane of its own for a test.
func startServer(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	binary, err := controlplane()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{switches: map[string]*simswitch.Switch{}}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	cmd := exec.Command(binary, "--listen", "127.0.0.1:0", "--etcd-listen-client", "127.0.0.1:0", "--data-dir", filepath.Join(dir, "etcd"), "--quarantine", "1h")
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the control plane ended with %v", err)
		}
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("log of the control plane:\n%s", text)
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("the control plane says no address: %v\n%s", err, text)
	}
	if err := json.Unmarshal(line, s); err != nil {
		t.Fatal(err)
	}
	if s.etcd, err = clientv3.New(clientv3.Config{Endpoints: s.Etcd, Logger: zap.NewNop()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.etcd.Close() })
	return s
}

// ctl runs pointsmanctl against the server.
func (s *server) ctl(ctx context.Context, args ...string) result {
	return ctl(ctx, append([]string{"--server", s.GRPC}, args...)...)
}

// switchesUp brings the switches of testdata up; they answer at once.
func (s *server) switchesUp(t *testing.T) {
	t.Helper()
	for _, name := range []string{"leaf01", "leaf02", "spine01"} {
		sw, err := simswitch.Start(t.Context(), s.etcd, name)
		if err != nil {
			t.Fatal(err)
		}
		s.switches[name] = sw
		t.Cleanup(func() {
			if err := sw.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// cable lets both leaves hear a machine on the same port.
func (s *server) cable(t *testing.T, n int) {
	t.Helper()
	for i, leaf := range []string{"leaf01", "leaf02"} {
		m := simswitch.Machine(fmt.Sprintf("machine%02d", n), fmt.Sprintf("02:00:5e:10:%02x:00", n), fmt.Sprintf("02:00:5e:10:%02x:%02x", n, i+1))
		if err := s.switches[leaf].Hear(t.Context(), fmt.Sprintf("swp%d", n), m); err != nil {
			t.Fatal(err)
		}
	}
}

// eventually repeats a command until it prints what is awaited: what agents report arrives a moment later.
func (s *server) eventually(t *testing.T, good func(result) bool, args ...string) result {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		r := s.ctl(t.Context(), args...)
		if good(r) {
			return r
		}
		if time.Now().After(deadline) {
			t.Fatalf("pointsmanctl %v: after ten seconds still %+v", args, r)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
