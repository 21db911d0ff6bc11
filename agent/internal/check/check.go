// Package check tries, before an agent runs on a switch for the first time, whether everything is there that it needs: kernel, FRR,
// permissions, etcd, disk. It tries instead of comparing version numbers wherever it can, in a network namespace that is thrown away,
// and leaves nothing behind. It repairs nothing: every line that fails says how to. `pointsman-agent check` calls it.
package check

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/pointsman/pointsman/agent/internal/config"
	"github.com/pointsman/pointsman/agent/internal/system/frr"
)

// State of a line.
type State string

// States, from good to bad. With a warning the agent runs, but not with all that it can do; with a failure it cannot do its work.
const (
	OK   State = "ok"
	Warn State = "warn"
	Fail State = "fail"
)

// Result is a line: what was looked at, what was found, and what to do about it unless it is ok.
type Result struct {
	Name   string `json:"name"`
	State  State  `json:"state"`
	Detail string `json:"detail,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

func ok(name, format string, args ...any) Result {
	return Result{Name: name, State: OK, Detail: fmt.Sprintf(format, args...)}
}

func warn(name, remedy, format string, args ...any) Result {
	return Result{Name: name, State: Warn, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}

func fail(name, remedy, format string, args ...any) Result {
	return Result{Name: name, State: Fail, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}

// Report is all lines.
type Report struct {
	Passed bool     `json:"passed"`
	Checks []Result `json:"checks"`
}

// Run looks at everything that the agent of this configuration needs.
func Run(ctx context.Context, cfg config.Config, routing *frr.Client) Report {
	var r Report
	for _, look := range []func() []Result{
		capabilities,
		func() []Result { return networkOS("/", cfg.NetworkOS) },
		kernel,
		sysctls,
		func() []Result { return daemons(ctx, cfg, routing) },
		func() []Result { return ownTemplates(ctx, cfg, routing) },
		func() []Result { return ports(cfg) },
		func() []Result { return etcd(ctx, cfg) },
		func() []Result { return stateDir(cfg.StateDir) },
	} {
		r.Checks = append(r.Checks, look()...)
	}
	r.Passed = !slices.ContainsFunc(r.Checks, func(c Result) bool { return c.State == Fail })
	return r
}

// Table prints the lines, each that is not ok with its remedy below.
func (r Report) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "CHECK\tSTATE\tFOUND")
	for _, c := range r.Checks {
		fmt.Fprintf(t, "%s\t%s\t%s\n", c.Name, c.State, strings.ReplaceAll(c.Detail, "\n", "; "))
		if c.Remedy != "" {
			fmt.Fprintf(t, "\t\t  remedy: %s\n", c.Remedy)
		}
	}
	return t.Flush()
}
