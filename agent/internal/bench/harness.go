package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// harness stands in for a test, so that the parts use what tests use: it collects what is to be cleaned up, and the first fatal error
// ends the part. What a test would log goes to standard error.
type harness struct {
	testing.TB // nil: what is not below is not used
	ctx        context.Context
	cleanups   []func()
	failed     error
}

// fatal is how a harness leaves a part.
type fatal struct{ err error }

// guarded runs a part and cleans up after it.
func guarded(part func(*harness) []Measured) (rows []Measured, err error) {
	h := &harness{ctx: context.Background()}
	defer func() {
		switch end := recover().(type) {
		case nil:
		case fatal:
			h.failed = errors.Join(h.failed, end.err)
		default:
			panic(end)
		}
		err = errors.Join(h.failed, h.clean())
	}()
	return part(h), nil
}

// clean runs what was left to be done at the end, last first. An error there ends it.
func (h *harness) clean() (err error) {
	defer func() {
		if end, ok := recover().(fatal); ok {
			err = end.err
		}
	}()
	for _, f := range slices.Backward(h.cleanups) {
		f()
	}
	return nil
}

func (h *harness) Helper()                  {}
func (h *harness) Context() context.Context { return h.ctx }
func (h *harness) Failed() bool             { return h.failed != nil }
func (h *harness) Cleanup(f func())         { h.cleanups = append(h.cleanups, f) }
func (h *harness) Log(args ...any)          { fmt.Fprintln(os.Stderr, append([]any{"bench:"}, args...)...) }
func (h *harness) Logf(format string, args ...any) {
	h.Log(fmt.Sprintf(format, args...))
}
func (h *harness) Fatal(args ...any) {
	panic(fatal{errors.New(strings.TrimSpace(fmt.Sprintln(args...)))})
}
func (h *harness) Fatalf(format string, args ...any) {
	panic(fatal{fmt.Errorf(format, args...)})
}
func (h *harness) Errorf(format string, args ...any) {
	h.failed = errors.Join(h.failed, fmt.Errorf(format, args...))
}

// must ends the part if something failed.
func (h *harness) must(errs ...error) {
	if err := errors.Join(errs...); err != nil {
		h.Fatal(err)
	}
}

// run runs a program.
func (h *harness) run(argv ...string) string {
	out, err := exec.CommandContext(h.ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		h.Fatalf("%q: %w\n%s", argv, err, out)
	}
	return string(out)
}

// ip runs ip commands in one process, in a network namespace; "" is this one.
func (h *harness) ip(netns string, commands ...string) {
	argv := []string{"ip", "-batch", "-"}
	if netns != "" {
		argv = []string{"ip", "-n", netns, "-batch", "-"}
	}
	cmd := exec.CommandContext(h.ctx, argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		h.Fatalf("%q %q: %w\n%s", argv, commands, err, out)
	}
}
