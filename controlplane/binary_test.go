package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/pointsman/pointsman/controlplane/internal/etcdserver"
)

// TestMain makes this test binary the control plane when it is asked to be: what runs is what main runs.
func TestMain(m *testing.M) {
	if os.Getenv("POINTSMAN_TEST_MAIN") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func controlplane(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), "POINTSMAN_TEST_MAIN=1")
	return cmd
}

// TestRefusesToListenBeyondTheLoopback: neither API nor etcd, until somebody says that the network is trusted.
func TestRefusesToListenBeyondTheLoopback(t *testing.T) {
	file := filepath.Join(t.TempDir(), "controlplane.yaml")
	if err := os.WriteFile(file, []byte("listen: 0.0.0.0:0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--listen", "0.0.0.0:0"},
		{"serve", "--listen", ":0"},
		{"--listen", "127.0.0.1:0", "--etcd-listen-client", "0.0.0.0:0"},
		{"--config", file},
		{"--listen", "127.0.0.1:0", "--metrics-listen", "0.0.0.0:0"},
	} {
		data := t.TempDir()
		out, err := controlplane(t, append(args, "--data-dir", data)...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("%v: %v, want exit code 1\n%s", args, err, out)
		}
		if !strings.Contains(string(out), "beyond the loopback") || !strings.Contains(string(out), "--insecure") {
			t.Errorf("%v says %q", args, out)
		}
		if left, _ := os.ReadDir(data); len(left) > 0 {
			t.Errorf("%v left %v in its data directory", args, left)
		}
	}
}

// TestServesUntilItIsAskedToStop: the line and the file say where, health says that it serves, SIGTERM ends it in order, and
// --insecure lets it listen anywhere. The data outlives it.
func TestServesUntilItIsAskedToStop(t *testing.T) {
	data := t.TempDir()
	file := filepath.Join(data, "ready")
	for _, listen := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		cmd := controlplane(t, "--insecure", "--listen", listen, "--etcd-listen-client", "127.0.0.1:0", "--data-dir", data, "--ready-file", file, "--quarantine", "0s")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		log := &strings.Builder{}
		cmd.Stderr = log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		reader := bufio.NewReader(out)
		line, err := reader.ReadString('\n')
		if err != nil {
			_ = cmd.Wait()
			t.Fatalf("it says no address: %v\n%s", err, log)
		}
		var where ready
		if err := json.Unmarshal([]byte(line), &where); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(file); err != nil || string(b) != line {
			t.Errorf("the ready file holds %q, %v, want %q", b, err, line)
		}
		if strings.HasSuffix(where.GRPC, ":0") || strings.HasSuffix(where.Etcd[0], ":0") {
			t.Errorf("ports are not said: %s", line)
		}
		healthy(t, strings.Replace(where.GRPC, "[::]", "127.0.0.1", 1))
		for url, says := range map[string]string{where.REST + "/switches": `"resourceVersion"`, where.Metrics: `grpc_method="ListSwitches"`} {
			if got := fetch(t, strings.Replace(url, "[::]", "127.0.0.1", 1)); !strings.Contains(got, says) {
				t.Errorf("%s says %.300q", url, got)
			}
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		rest, _ := io.ReadAll(reader)
		if err := cmd.Wait(); err != nil || len(rest) > 0 || time.Since(began) > 5*time.Second {
			t.Errorf("it ended with %v after %s, and said %q\n%s", err, time.Since(began), rest, log)
		}
		if strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("an ordinary stop is logged as an error:\n%s", log)
		}
	}
}

// TestAnEtcdOutside: the control plane waits for it, serves over it, names it, and leaves it running.
func TestAnEtcdOutside(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	cmd := controlplane(t, "--listen", "127.0.0.1:0", "--etcd-endpoints", "http://"+address)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(logs)
	for said.Scan() && !strings.Contains(said.Text(), "etcd is not there yet") {
	}
	go func() { _, _ = io.Copy(io.Discard, logs) }()
	etcd, err := etcdserver.Start(t.Context(), etcdserver.Config{Dir: t.TempDir(), Listen: address, Fast: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer etcd.Close()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var where ready
	if err := json.Unmarshal(line, &where); err != nil {
		t.Fatal(err)
	}
	if len(where.Etcd) != 1 || where.Etcd[0] != "http://"+address {
		t.Errorf("it names %v", where.Etcd)
	}
	healthy(t, where.GRPC)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	client, err := etcdserver.NewClient(where.Etcd, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Get(t.Context(), "x"); err != nil {
		t.Errorf("the etcd outside: %v", err)
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func healthy(t *testing.T, address string) {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	h, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil || h.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health is %s, %v", h.GetStatus(), err)
	}
}

func TestVersionAndUnknownCommands(t *testing.T) {
	out, err := controlplane(t, "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "pointsman-controlplane ") {
		t.Errorf("%v: %s", err, out)
	}
	out, err = controlplane(t, "bogus").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "bogus") {
		t.Errorf("%v: %s", err, out)
	}
}
