package kernel

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// objects is about how many files are compiled: the same configuration, the same number, but for a hundred from version to version.
const objects = 1050

// progressEvery is how often a line tells how far the build is.
const progressEvery = 5 * time.Second

// compile builds the kernel into out, without the symbols that only a debugger reads.
func (b *build) compile(ctx context.Context) error {
	if err := os.WriteFile(filepath.Join(b.work, "lab.config"), []byte(config), 0o644); err != nil {
		return err
	}
	if out, err := b.make(ctx, nil, "KCONFIG_ALLCONFIG="+filepath.Join(b.work, "lab.config"), "allnoconfig"); err != nil {
		return failure("configure", err, out)
	}
	if err := b.checkConfig(); err != nil {
		return err
	}
	cpus := runtime.NumCPU()
	b.step("compile about %d files on %d CPUs", objects, cpus)
	begin := time.Now()
	if out, err := b.make(ctx, b.progress(), fmt.Sprintf("-j%d", cpus+1), "linux"); err != nil {
		return failure("compile", err, out)
	}
	if err := os.Mkdir(b.out(), 0o755); err != nil {
		return err
	}
	if out, err := b.command(ctx, b.source(), "strip", "-o", filepath.Join(b.out(), binary), "linux").CombinedOutput(); err != nil {
		return failure("strip", err, out)
	}
	b.step("compiled in %s", time.Since(begin).Round(time.Second))
	return os.Rename(filepath.Join(b.source(), ".config"), filepath.Join(b.out(), "config"))
}

// make runs make in the source. Programs that the build itself runs are linked statically, so that they run beside any libc.
func (b *build) make(ctx context.Context, progress func(line string), args ...string) (output []byte, err error) {
	cc := filepath.Join(b.tools(), "usr/bin/gcc") + " --sysroot=" + b.tools()
	args = append([]string{"ARCH=um", "CC=" + cc, "HOSTCC=" + cc, "HOSTLDFLAGS=-static"}, args...)
	cmd := b.command(ctx, b.source(), "make", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	var out bytes.Buffer
	lines := bufio.NewScanner(io.TeeReader(r, &out))
	for lines.Scan() {
		if progress != nil {
			progress(lines.Text())
		}
	}
	err = errors.Join(lines.Err(), r.Close(), cmd.Wait())
	return out.Bytes(), err
}

// progress tells how far the build is, every few seconds.
func (b *build) progress() func(line string) {
	done, told := 0, time.Now()
	return func(line string) {
		if kind := strings.Fields(line); len(kind) == 2 && kind[0] == "CC" {
			done++
		}
		if time.Since(told) > progressEvery {
			told = time.Now()
			b.step("compiled %d of about %d files (%d %%)", done, max(objects, done), 100*done/max(objects, done))
		}
	}
}

// checkConfig compares what was asked for with what became of it: an option whose needs are not met is left out without a word.
func (b *build) checkConfig() error {
	text, err := os.ReadFile(filepath.Join(b.source(), ".config"))
	if err != nil {
		return err
	}
	if missing := missingOptions(config, string(text)); len(missing) > 0 {
		return fmt.Errorf("this source does not take %s; what they need is missing in lab.config", strings.Join(missing, ", "))
	}
	return nil
}

// versioned options are not of every version: later ones have them built in, or do without.
var versioned = map[string]bool{"CONFIG_UML_NET": true, "CONFIG_RANDOM_TRUST_CPU": true, "CONFIG_PROC_SYSCTL": true, "CONFIG_NFT_OBJREF": true}

func missingOptions(wanted, have string) []string {
	lines := map[string]bool{}
	for line := range strings.Lines(have) {
		lines[strings.TrimSpace(line)] = true
	}
	var missing []string
	for line := range strings.Lines(wanted) {
		line = strings.TrimSpace(line)
		option, _, _ := strings.Cut(line, "=")
		if strings.HasPrefix(line, "CONFIG_") && !lines[line] && !versioned[option] {
			missing = append(missing, line)
		}
	}
	return missing
}
