// Package failpoint ends the agent in the middle of a change, at exactly the step that a test names: the death that no journal,
// transaction or order of operations may need to prevent. It is off unless the environment names a file, and says so loudly if it
// does. The run command puts it around the network OS; end-to-end scripts write the file.
package failpoint

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
)

// Variable of the environment names the file. Once the file holds a number n, the change in which step n+1 would come is cut off before
// it: the file is deleted, and the process kills itself. A step is one of the kernel's or one line of FRR's.
const Variable = "POINTSMAN_FAILPOINT"

// System is what the agent runs.
type System interface {
	system.System
	system.Routes
}

// Around returns sys, with the failpoint before it if the environment asks for one.
func Around(sys System, log *slog.Logger) System {
	path := os.Getenv(Variable)
	if path == "" {
		return sys
	}
	log.Warn("this agent kills itself in the middle of a change when told to: it is under test", "file", path)
	return &mortal{System: sys, path: path, log: log, die: func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }}
}

type mortal struct {
	System
	path string
	log  *slog.Logger
	die  func()
	done int // steps since the file was first seen
}

// Apply implements system.System.
func (m *mortal) Apply(ctx context.Context, ops []plan.Op) []plan.Result {
	limit, armed, err := m.limit()
	if err != nil {
		m.log.Error("read the failpoint", "err", err)
	}
	if !armed {
		m.done = 0
		return m.System.Apply(ctx, ops)
	}
	if limit -= m.done; Steps(ops) <= limit {
		m.done += Steps(ops)
		return m.System.Apply(ctx, ops)
	}
	if err := os.Remove(m.path); err != nil { // it would kill every agent that comes after
		m.log.Error("disarm the failpoint", "err", err)
		return m.System.Apply(ctx, ops)
	}
	results := m.System.Apply(ctx, First(ops, limit))
	m.log.Warn("failpoint: the agent kills itself", "done", limit, "of", Steps(ops), "next", next(ops, limit))
	m.die()
	return results
}

func (m *mortal) limit() (n int, armed bool, err error) {
	text, err := os.ReadFile(m.path)
	if os.IsNotExist(err) {
		return 0, false, nil
	}
	if err == nil {
		n, err = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	if err != nil {
		return 0, false, fmt.Errorf("failpoint %s: %w", m.path, err)
	}
	return n, true, nil
}

// Steps counts a change's steps: one of the kernel's, or one line of FRR's.
func Steps(ops []plan.Op) int {
	n := 0
	for _, op := range ops {
		n += size(op)
	}
	return n
}

func size(op plan.Op) int {
	if o, ok := op.(plan.ApplyFRR); ok {
		return len(o.Changes)
	}
	return 1
}

// First is what of a change comes before step n+1. A step of FRR's is cut between its lines.
func First(ops []plan.Op, n int) []plan.Op {
	var out []plan.Op
	for _, op := range ops {
		switch o, ok := op.(plan.ApplyFRR); {
		case n == 0:
			return out
		case ok && len(o.Changes) > n:
			return append(out, o.Only(o.Changes[:n]...))
		}
		out = append(out, op)
		n -= size(op)
	}
	return out
}

// next is the step that is not carried out any more.
func next(ops []plan.Op, n int) string {
	for _, op := range ops {
		if o, ok := op.(plan.ApplyFRR); ok && len(o.Changes) > n {
			return fmt.Sprint(o.Only(o.Changes[n]))
		}
		if n < size(op) {
			return fmt.Sprint(op)
		}
		n -= size(op)
	}
	return ""
}
