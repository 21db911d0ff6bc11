package sonic

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
)

// inContainer starts a real zebra whose /run/frr nobody else sees, as in a container, and returns its process.
func inContainer(t *testing.T) *exec.Cmd {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "zebra")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("mkdir -p /run/frr && mount -t tmpfs none /run/frr && chown frr:frr /run/frr && "+
		"exec /usr/lib/frr/zebra -u frr -g frr -f /dev/null -A 127.0.0.1 -P 0 -i %[1]s/pid -z %[1]s/zserv --vty_socket /run/frr", dir)
	cmd := exec.Command("unshare", "-m", "sh", "-c", script)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
		if t.Failed() {
			t.Log(out.String())
		}
	})
	return cmd
}

// FRR's sockets are found in its container, and found again when that was started anew.
func TestFRRInItsContainer(t *testing.T) {
	if err := os.MkdirAll("/run/frr", 0o755); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// docker is not there; this says what it would say.
	docker, link := filepath.Join(dir, "docker"), filepath.Join(dir, "run", "frr")
	says := func(line string) {
		if err := os.WriteFile(docker, []byte("#!/bin/sh\n"+line+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := Container{Name: "bgp", Beside: filepath.Join(dir, "beside"), Link: link, Docker: docker}
	says("echo 0")
	if err := c.Follow(t.Context()); err == nil || !strings.Contains(err.Error(), "container bgp does not run") {
		t.Errorf("of a container that does not run: %v", err)
	}
	says("echo no such object: bgp >&2; exit 1")
	if err := c.Follow(t.Context()); err == nil || !strings.Contains(err.Error(), "no such object: bgp") {
		t.Errorf("of a container that is not there: %v", err)
	}
	client := frrsystem.New(frrsystem.Options{Dir: link, ConfigFile: filepath.Join(dir, "frr.conf")})
	defer client.Close()
	for _, which := range []string{"the first", "one started anew"} {
		zebra := inContainer(t)
		says(fmt.Sprintf("echo %d", zebra.Process.Pid))
		for deadline := time.Now().Add(20 * time.Second); c.Follow(t.Context()) != nil; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s is not found: %v", which, c.Follow(t.Context()))
			}
		}
		version := ""
		for deadline := time.Now().Add(20 * time.Second); version == "" && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			for _, d := range client.Daemons(t.Context()) {
				if d.Name == "zebra" {
					version = d.Version
				}
			}
		}
		if version == "" {
			t.Errorf("%s does not answer", which)
		}
		if _, err := os.Stat("/run/frr/zebra.vty"); err == nil {
			t.Error("its socket is seen without the container: nothing is proven")
		}
		_ = zebra.Process.Kill()
		_ = zebra.Wait()
	}
	says("exit 1")
	if err := os.MkdirAll(c.Beside, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Beside, zebraSocket), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(link); err != nil || to != c.Beside {
		t.Errorf("beside FRR, the link leads to %q, %v", to, err)
	}
}
