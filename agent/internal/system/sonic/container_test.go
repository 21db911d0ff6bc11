package sonic

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/pkg/frr"
)

// inContainer starts real daemons whose /run/frr, /etc/frr and /tmp nobody else sees, as in a container, and returns its first process,
// zebra. conf is what they have as /etc/frr.
func inContainer(t *testing.T, conf string, others ...string) *exec.Cmd {
	t.Helper()
	if err := os.Chmod(conf, 0o755); err != nil {
		t.Fatal(err)
	}
	script := "mkdir -p /run/frr /etc/frr && mount -t tmpfs none /run/frr && chown frr:frr /run/frr && mount --bind " + conf + " /etc/frr && mount -t tmpfs none /tmp || exit\n"
	daemon := func(name string) string {
		return fmt.Sprintf("/usr/lib/frr/%[1]s -u frr -g frr -f /dev/null -A 127.0.0.1 -P 0 -i /run/frr/%[1]s.pid -z /run/frr/zserv.api --vty_socket /run/frr", name)
	}
	for _, name := range others {
		script += daemon(name) + " &\n"
	}
	cmd := exec.Command("unshare", "-m", "sh", "-c", script+"exec "+daemon("zebra"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	return cmd
}

// within waits until a check finds nothing wrong.
func within(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("after %v: %v", limit, err)
}

// TestProgramsInTheContainer: what only FRR's own programs can do is done by those in the container, with files that it sees.
func TestProgramsInTheContainer(t *testing.T) {
	if err := os.MkdirAll("/run/frr", 0o755); err != nil {
		t.Fatal(err)
	}
	dir, conf := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(conf, "vtysh.conf"), []byte("service integrated-vtysh-config\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	zebra := inContainer(t, conf, "bgpd", "bfdd", "staticd")
	// docker is not there; this does what it would do.
	docker := filepath.Join(dir, "docker")
	script := fmt.Sprintf("#!/bin/sh\ncase \"$1 $2 $3\" in 'exec -i bgp') shift 3; exec nsenter -t %[1]d -m -- \"$@\";; inspect*) echo %[1]d;; *) exit 9;; esac\n", zebra.Process.Pid)
	if err := os.WriteFile(docker, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	c := Container{Name: "bgp", Beside: filepath.Join(dir, "beside"), Link: filepath.Join(dir, "frr"), Docker: docker}
	within(t, 20*time.Second, func() error { return c.Follow(t.Context()) })
	for _, writer := range []string{frrsystem.WriterShell, frrsystem.WriterReload} {
		client := frrsystem.New(frrsystem.Options{Dir: c.Link, ConfigFile: filepath.Join(conf, "frr.conf"), Writer: writer, Elsewhere: c.Programs(conf)})
		defer client.Close()
		within(t, 20*time.Second, func() error { _, err := client.Running(t.Context()); return err })
		change := frr.Change{Line: "ip prefix-list BY-" + strings.ToUpper(writer) + " seq 5 permit 10.0.0.0/8"}
		if errs := client.Apply(t.Context(), []frr.Change{change}); errs[0] != nil {
			t.Errorf("by %s: %v", writer, errs[0])
		}
		running, err := client.Running(t.Context())
		if err != nil || !running.Reflects(change) {
			t.Errorf("by %s: FRR runs\n%s%v", writer, running, err)
		}
		if err := client.DryRun(t.Context(), "router bgp 65000\n neighbor swp1 interface remote-as external\nexit\n"); err != nil {
			t.Error(err)
		}
		if err := client.DryRun(t.Context(), "router bgp 65000\n neighbour swp1 interface remote-as external\nexit\n"); err == nil || !strings.Contains(err.Error(), "neighbour swp1") {
			t.Errorf("a dry run of what is no command: %v", err)
		}
	}
	left, err := filepath.Glob(filepath.Join(conf, ".pointsman*"))
	if err != nil || len(left) > 0 {
		t.Errorf("files are left behind: %q, %v", left, err)
	}
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
		zebra := inContainer(t, t.TempDir())
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
