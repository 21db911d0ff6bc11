// Package command holds pointsmanctl's commands, one small file each. It reads flags and files, calls the API, and hands what
// comes back to package output. It imports pkg only, as anybody's program would. pointsmanctl/main.go calls it.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/pointsman/pointsman/pointsmanctl/internal/output"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// Defaults of the flags that all commands have.
const (
	defaultServer  = "127.0.0.1:7443"
	defaultProject = "default"
	defaultTimeout = 30 * time.Second
)

// World is what a run may touch besides the API: files are opened by name.
type World struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
	// Interactive tells that Err is a terminal, on which a line may be rewritten.
	Interactive bool
	Getenv      func(string) string
	Now         func() time.Time
}

// Terminal is the world of a real run.
func Terminal() World {
	return World{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Interactive: isTerminal(os.Stderr), Getenv: os.Getenv, Now: time.Now}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// app is one run: its world and the flags that all commands have.
type app struct {
	World
	server  string
	project string
	output  string
	timeout time.Duration
	target  target
	client  *client
	lost    atomic.Pointer[string] // why a request did not get through, if one did not
}

// Main runs pointsmanctl with arguments and returns its exit code.
func Main(ctx context.Context, args []string, world World) int {
	a := &app{World: world}
	defer a.close()
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(world.In)
	root.SetOut(world.Out)
	root.SetErr(world.Err)
	cmd, err := root.ExecuteContextC(ctx)
	var failed failure
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &failed):
		fmt.Fprintln(world.Err, "pointsmanctl:", a.explain(failed.error))
		return exitFailure
	default:
		fmt.Fprintf(world.Err, "pointsmanctl: %v\nRun '%s --help' for how to use it.\n", err, cmd.CommandPath())
		return exitUsage
	}
}

// failure marks an error of a command that was called rightly. What is not marked was called wrongly: cobra itself found it, or
// a command said so with usage.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// usage marks an error in what was typed.
type usage struct{ error }

func usagef(format string, args ...any) error { return usage{fmt.Errorf(format, args...)} }

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "pointsmanctl",
		Short: "Allocate bare-metal machines and their networks",
		Long: `pointsmanctl is the command line over the API of Pointsman's control plane.

A first session: a pool of prefixes, a network carved from it, and a machine in that network.

  pointsmanctl network create tenants --kind pool --prefix 10.64.0.0/12 --prefix fd64::/48 \
      --default-ipv4-length 22 --default-ipv6-length 64
  pointsmanctl network create blue --pool tenants
  pointsmanctl allocate --network blue --wait`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	a.targetFlags(root)
	flags := root.PersistentFlags()
	flags.StringVarP(&a.output, "output", "o", string(output.Table), "how to print: "+strings.Join(output.Formats, ", "))
	flags.DurationVar(&a.timeout, "timeout", defaultTimeout, "how long to try one request")
	fixed(root, "output", output.Formats...)
	fixed(root, "timeout")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		_, err := output.ParseFormat(a.output)
		return err
	}
	root.AddCommand(
		a.allocateCommand(), a.releaseCommand(), a.moveCommand(), a.receiptCommand(), a.allocationCommand(),
		a.networkCommand(), a.ipCommand(), a.machineCommand(), a.switchCommand(), a.watchCommand(),
		a.describeCommand(), a.historyCommand(), a.contextCommand(), a.versionCommand(),
	)
	return root
}

// group makes a command that only holds others. Called alone or with a word that none of them has, it says so.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{
		Use:   use,
		Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			var names []string
			for _, c := range cmd.Commands() {
				names = append(names, c.Name())
			}
			if len(args) == 0 {
				return usagef("%s wants one of: %s", cmd.CommandPath(), strings.Join(names, ", "))
			}
			return usagef("%s knows no %q: give one of: %s", cmd.CommandPath(), args[0], strings.Join(names, ", "))
		},
	}
	g.AddCommand(commands...)
	return g
}

// run makes a command's RunE of what it does, and marks its errors as failures unless they say that it was called wrongly.
func run(do func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := do(cmd.Context(), args)
		var wrong usage
		if err == nil || errors.As(err, &wrong) {
			return err
		}
		return failure{err}
	}
}

// printer writes in the format of -o, which was checked before.
func (a *app) printer() output.Printer {
	return output.Printer{Out: a.Out, Format: output.Format(a.output), Now: a.Now()}
}

// say tells people what was done; programs, which read -o json or yaml, are told by the exit code.
func (a *app) say(format string, args ...any) {
	if !a.printer().Structured() {
		fmt.Fprintf(a.Out, format+"\n", args...)
	}
}
