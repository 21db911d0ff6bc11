package uml_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pointsman/pointsman/test/lab/debroot"
	"github.com/pointsman/pointsman/test/lab/uml"
)

func TestMain(m *testing.M) {
	uml.Main(map[string]uml.Mode{uml.CommandMode: uml.RunCommand})
	if root := os.Getenv(victimEnv); root != "" {
		c := uml.Config{Root: root, Memory: "256M"}
		exit, err := uml.Run(context.Background(), c, uml.Command{Argv: []string{"sh", "-c", "echo running; sleep 1000"}, Stdout: os.Stdout, Stderr: os.Stderr})
		fmt.Fprintln(os.Stderr, exit, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// victimEnv makes this binary run a guest until it is killed.
const victimEnv = "UML_TEST_VICTIM"

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

// A host process that is killed cannot clean up; the guest and its files must go all the same.
func TestKilledHostLeavesNothing(t *testing.T) {
	t.Parallel()
	// A copy of this binary has a name that no other guest's command line holds.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	victim := filepath.Join(t.TempDir(), "victim")
	syscall.ForkLock.RLock() // a child of a test beside this one would hold the file open for writing, and it could not be run
	err = os.WriteFile(victim, text, 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(victim)
	cmd.Env = append(os.Environ(), victimEnv+"="+guest(t).Root)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "running\n" {
		t.Fatalf("the guest said %q: %v", line, err)
	}
	running := guestsOf(t, victim)
	if len(running) == 0 {
		t.Fatal("no guest is found while it runs")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left := guestsOf(t, victim)
		_, err := os.Stat(running[0])
		if len(left) == 0 && errors.Is(err, os.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("ten seconds after its death, %d processes of the guest are left, and its directory: %v", len(left), err == nil)
		}
	}
}

// guestsOf returns the directories of the guests whose init is the program, one for each process of theirs.
func guestsOf(t *testing.T, program string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, file := range files {
		text, _ := os.ReadFile(file) // a process that ended meanwhile
		if !bytes.Contains(text, []byte("init="+program+"\x00")) {
			continue
		}
		for arg := range strings.SplitSeq(string(text), "\x00") {
			if dir, ok := strings.CutPrefix(arg, "uml_dir="); ok {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}
