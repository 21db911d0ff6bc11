// Command lab builds and runs Pointsman's lab: a whole EVPN fabric in one guest that runs as an ordinary user's process.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/test/lab"
	"github.com/pointsman/pointsman/test/lab/debroot"
	"github.com/pointsman/pointsman/test/lab/kernel"
	"github.com/pointsman/pointsman/test/lab/uml"
)

func main() {
	lab.Main() // in the guest, this program is process 1 of the guest and of each node
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	err := rootCommand().ExecuteContext(ctx)
	var exit exitError
	switch {
	case errors.As(err, &exit):
		os.Exit(int(exit))
	case err != nil && ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "lab: interrupted")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

// exitError carries the exit code of a command that ran in the lab.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "lab",
		Short:         "Run Pointsman's fabric lab",
		Long:          "Run Pointsman's fabric lab: a whole EVPN fabric with real FRR in one user-mode Linux guest.\nNo root, no KVM, no Docker; nothing is installed on this host.",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(upCommand(), downCommand(), statusCommand(), execCommand(), logsCommand(), killCommand(), serviceCommand(),
		linkCommand(), partitionCommand(), topologyCommand(), rootfsCommand(), kernelCommand(), guestCommand(), demoCommand(), measureCommand())
	root.AddCommand(faultCommands()...)
	return root
}

func rootfsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rootfs",
		Short: "Make the guest's Debian root in the cache, if it is not there, and print its path",
		Long:  "Make the guest's Debian 12 root in $XDG_CACHE_HOME/pointsman (or ~/.cache/pointsman), if it is not there, and print its path.\nAbout 120 MB are downloaded and 400 MB unpacked, once.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := debroot.Ensure(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), root)
			return nil
		},
	}
}

func kernelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "kernel",
		Short: "Build the lab's own kernel into the cache, if it is not there, and print its path",
		Long: `Build the lab's own kernel, user-mode Linux with every family of nftables, into $XDG_CACHE_HOME/pointsman (or ~/.cache/pointsman), if
it is not there, and print its path. It is built from the newest source among Debian's backports with Debian's compiler, both unpacked beside each other for the
time of the build: about 200 MB are downloaded, 1 GB is used meanwhile, 8 MB stay. It takes some minutes, once.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := kernel.Ensure(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), path)
			return nil
		},
	}
}

func guestCommand() *cobra.Command {
	var (
		timeout     time.Duration
		memory, dir string
		binds, rw   []string
		env         []string
	)
	cmd := &cobra.Command{
		Use:   "guest [flags] -- COMMAND [ARG...]",
		Short: "Boot a guest, run one command in it, and return its exit code",
		Long: `Boot a guest, run one command in it as its root, and return its exit code.

The guest's files are a Debian 12 root with FRR, Redis, ifupdown2 and iproute2; what it writes goes to its memory. The current
directory (the whole module, if it lies in a Go module), the directory of COMMAND and those given with --bind are seen
read-only at the same absolute path.`,
		Example: "  lab guest -- ip link add red type vrf table 10\n  go test -c -o /tmp/x ./agent/internal/system && lab guest -- /tmp/x -test.v",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := debroot.Ensure(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			argv, dirs, err := guestView(args, dir, append(binds, rw...))
			if err != nil {
				return err
			}
			exit, err := uml.Run(cmd.Context(), uml.Config{Root: root, Kernel: kernel.Choose(root, cmd.ErrOrStderr()), Memory: memory, ReadOnly: dirs, Writable: rw},
				uml.Command{Argv: argv, Dir: dir, Env: env, Stdout: cmd.OutOrStdout(), Stderr: cmd.ErrOrStderr(), Timeout: timeout})
			if err != nil {
				return err
			}
			if exit != 0 {
				return exitError(exit)
			}
			return nil
		},
	}
	here, _ := os.Getwd()
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "end the guest after this time")
	cmd.Flags().StringVar(&memory, "mem", uml.DefaultMemory, "the guest's memory")
	cmd.Flags().StringVar(&dir, "dir", here, "working directory in the guest")
	cmd.Flags().StringArrayVar(&binds, "bind", nil, "also show this host directory, read-only")
	cmd.Flags().StringArrayVar(&rw, "bind-rw", nil, "also show this host directory, writable")
	cmd.Flags().StringArrayVar(&env, "env", nil, "set NAME=VALUE in the guest")
	return cmd
}

// guestView returns the command with its path made absolute, and the host directories that the guest must see.
func guestView(args []string, dir string, dirs []string) (argv, shown []string, err error) {
	argv = append([]string(nil), args...)
	shown = append([]string{uml.ModuleRoot(dir)}, dirs...)
	if strings.Contains(argv[0], "/") {
		if argv[0], err = filepath.Abs(argv[0]); err != nil {
			return nil, nil, err
		}
		if _, err := os.Stat(argv[0]); err == nil {
			shown = append(shown, filepath.Dir(argv[0]))
		}
	}
	shown, err = uml.Visible(shown)
	return argv, shown, err
}
