package command

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	dir, log string
	kill     func(syscall.Signal)
	killed   map[int]bool
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
	s := &server{switches: map[string]*simswitch.Switch{}, killed: map[int]bool{}, dir: t.TempDir(), log: filepath.Join(t.TempDir(), "log")}
	s.launch(t, "127.0.0.1:0", "127.0.0.1:0")
	var err error
	if s.etcd, err = clientv3.New(clientv3.Config{Endpoints: s.Etcd, Logger: zap.NewNop()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.etcd.Close() })
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := os.ReadFile(s.log)
			t.Logf("log of the control plane:\n%s", text)
		}
	})
	return s
}

// launch starts the process, which is asked to end when the test does.
func (s *server) launch(t *testing.T, listen, etcdListen string) {
	t.Helper()
	binary, err := controlplane()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the process has its own
	cmd := exec.Command(binary, "--listen", listen, "--metrics-listen", "127.0.0.1:0", "--etcd-listen-client", etcdListen,
		"--data-dir", filepath.Join(s.dir, "etcd"), "--quarantine", "1h")
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := sync.OnceValue(cmd.Wait)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := ended(); err != nil && !s.killed[cmd.Process.Pid] {
			t.Errorf("the control plane ended with %v", err)
		}
	})
	s.kill = func(sig syscall.Signal) {
		s.killed[cmd.Process.Pid] = true
		_ = cmd.Process.Signal(sig)
		_ = ended()
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		text, _ := os.ReadFile(s.log)
		t.Fatalf("the control plane says no address: %v\n%s", err, text)
	}
	if err := json.Unmarshal(line, s); err != nil {
		t.Fatal(err)
	}
}

// restart ends the process with a signal and starts it again on the same data and addresses.
func (s *server) restart(t *testing.T, sig syscall.Signal) {
	t.Helper()
	s.kill(sig)
	s.launch(t, s.GRPC, strings.TrimPrefix(s.Etcd[0], "http://"))
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
