package command

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/pointsman/pointsman/pointsmanctl/internal/contexts"
	"github.com/pointsman/pointsman/pointsmanctl/internal/output"
)

func (a *app) contextCommand() *cobra.Command {
	return group("context", "Contexts: the control planes that this command line knows by name",
		a.contextListCommand(), a.contextShowCommand(), a.contextUseCommand(), a.contextSetCommand(), a.contextDeleteCommand())
}

// shown is a context as it is printed.
func (a *app) shown(file *contexts.File, name string) output.Context {
	return output.Context{Name: name, Current: name == file.Current, Context: *file.Contexts[name]}
}

// contextsFileWith is the file, if it has a context of that name.
func (a *app) contextsFileWith(name string) (*contexts.File, error) {
	file, err := a.contextsFile()
	if err == nil {
		_, err = file.Get(name)
	}
	return file, err
}

func (a *app) contextListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List contexts; the current one has a star",
		Example: "  pointsmanctl context list\n  pointsmanctl context list -o json",
		Args:    cobra.NoArgs,
		RunE: run(func(context.Context, []string) error {
			file, err := a.contextsFile()
			if err != nil {
				return err
			}
			all := []output.Context{}
			for _, name := range file.Names() {
				all = append(all, a.shown(file, name))
			}
			return a.printer().Contexts(all)
		}),
	}
}

func (a *app) contextShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "show [CONTEXT]",
		Short:             "Show a context, or the one in use",
		Example:           "  pointsmanctl context show\n  pointsmanctl context show prod -o json",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.firstContext,
		RunE: run(func(_ context.Context, args []string) error {
			file, err := a.contextsFile()
			if err != nil {
				return err
			}
			name := cmp.Or(a.target.context, a.Getenv(contextVariable), file.Current)
			if len(args) > 0 {
				name = args[0]
			}
			if name == "" {
				return usagef("no context is in use: name one, or choose one with \"pointsmanctl context use\"")
			}
			if _, err := file.Get(name); err != nil {
				return err
			}
			return a.printer().Context(a.shown(file, name))
		}),
	}
}

func (a *app) contextUseCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "use CONTEXT",
		Short:             "Make a context the current one",
		Example:           "  pointsmanctl context use prod",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.firstContext,
		RunE: run(func(_ context.Context, args []string) error {
			file, err := a.contextsFileWith(args[0])
			if err != nil {
				return err
			}
			file.Current = args[0]
			if err := file.Write(); err != nil {
				return err
			}
			a.say("context %s is in use", args[0])
			return nil
		}),
	}
}

func (a *app) contextSetCommand() *cobra.Command {
	var use bool
	cmd := &cobra.Command{
		Use:   "set CONTEXT [--server HOST:PORT] [--project PROJECT] [--tls…]",
		Short: "Make a context, or change what is given of one",
		Long: `Make a context, or change what is given of one; the rest stays. Files of TLS are named in it and stay where they are.
--tls=false takes TLS out of it. The first context that is made is the current one.`,
		Example: `  pointsmanctl context set lab --server 127.0.0.1:7443
  pointsmanctl context set prod --server pointsman.example.com:443 --project storage --tls-ca ca.pem --tls-cert me.pem --tls-key me.key --use
  pointsmanctl context set prod --project web`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.firstContext,
		RunE: run(func(_ context.Context, args []string) error {
			file, err := a.contextsFile()
			if err != nil {
				return err
			}
			if err := a.setContext(file, args[0]); err != nil {
				return err
			}
			if use || len(file.Contexts) == 1 {
				file.Current = args[0]
			}
			if err := file.Write(); err != nil {
				return err
			}
			return a.printer().Context(a.shown(file, args[0]))
		}),
	}
	cmd.Flags().BoolVar(&use, "use", false, "make it the current context too")
	return cmd
}

// setContext lays the flags over a context of a file.
func (a *app) setContext(file *contexts.File, name string) error {
	if err := contexts.CheckName(name); err != nil {
		return usage{err}
	}
	c := &contexts.Context{}
	if old := file.Contexts[name]; old != nil {
		*c = *old
	}
	c.Server = cmp.Or(a.server, c.Server)
	if a.target.flags.Changed("project") {
		c.Project = a.project
	}
	if c.Server == "" {
		return usagef("context %q is new: give its --server HOST:PORT", name)
	}
	var err error
	if c.TLS, err = a.target.override(c.TLS); err != nil {
		return err
	}
	if err := absolute(c.TLS); err != nil {
		return err
	}
	if err := c.Check(); err != nil {
		return usagef("context %q: %w", name, err)
	}
	if c.TLS != nil {
		if _, err := c.TLS.Config(); err != nil { // said now, and not at the first use
			return err
		}
	}
	file.Contexts[name] = c
	return nil
}

func (a *app) contextDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "delete CONTEXT",
		Short:             "Forget a context",
		Example:           "  pointsmanctl context delete lab",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.firstContext,
		RunE: run(func(_ context.Context, args []string) error {
			file, err := a.contextsFileWith(args[0])
			if err != nil {
				return err
			}
			delete(file.Contexts, args[0])
			if file.Current == args[0] {
				file.Current = ""
			}
			if err := file.Write(); err != nil {
				return err
			}
			a.say("context %s is deleted", args[0])
			if file.Current == "" && len(file.Contexts) > 0 {
				a.say("no context is in use now: choose one with \"pointsmanctl context use\"")
			}
			return nil
		}),
	}
}

func (a *app) firstContext(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.contextNames(cmd, args, typed)
}
