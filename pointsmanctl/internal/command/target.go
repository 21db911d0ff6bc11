package command

import (
	"cmp"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/pointsman/pointsman/pointsmanctl/internal/contexts"
)

// Variables of the environment that stand for flags.
const (
	serverVariable  = "POINTSMAN_SERVER"
	projectVariable = "POINTSMAN_PROJECT"
	contextVariable = "POINTSMAN_CONTEXT"
	configVariable  = "POINTSMAN_CONFIG"
)

// target is what the flags say of whom to ask; what they leave open, the environment and then the context says.
type target struct {
	config  string
	context string
	useTLS  bool
	tls     contexts.TLS

	flags   *pflag.FlagSet
	settled bool
	secure  *contexts.TLS // nil is in the clear
	named   string        // the context that was used, if any
}

func (a *app) targetFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	t := &a.target
	t.flags = f
	f.StringVar(&a.server, "server", "", "address of the control plane's API ($"+serverVariable+"; default: the context's, or "+defaultServer+")")
	f.StringVar(&a.project, "project", "", "project of networks, addresses and allocations ($"+projectVariable+"; default: the context's, or "+defaultProject+")")
	f.StringVar(&t.context, "context", "", "use this context of the contexts file ($"+contextVariable+"; default: its current one)")
	f.StringVar(&t.config, "config", "", "the contexts file ($"+configVariable+"; default: $XDG_CONFIG_HOME/pointsman/config.yaml)")
	f.BoolVar(&t.useTLS, "tls", false, "speak TLS with the API (default: as the context says; any of the flags below says so too)")
	f.StringVar(&t.tls.CA, "tls-ca", "", "PEM file of those who may vouch for the API (default: whom the system trusts)")
	f.StringVar(&t.tls.Cert, "tls-cert", "", "PEM file of a client certificate")
	f.StringVar(&t.tls.Key, "tls-key", "", "PEM file of the client certificate's key")
	f.StringVar(&t.tls.ServerName, "tls-server-name", "", "name in the API's certificate, if it is not the address's host")
	for _, flag := range []string{"server", "tls-server-name", "tls"} {
		fixed(root, flag)
	}
	register(root, "project", cobra.NoFileCompletions)
	register(root, "context", a.contextNames)
}

// contextsFile reads the contexts file.
func (a *app) contextsFile() (*contexts.File, error) {
	return contexts.Read(cmp.Or(a.target.config, contexts.Path(a.Getenv)))
}

// settle finds out whom to ask, once: flag before environment before context before default. TLS belongs to an address: where a
// flag or the environment names another one than the context, the context's TLS is not spoken to it.
func (a *app) settle() error {
	t := &a.target
	if t.settled {
		return nil
	}
	t.settled = true
	c, err := a.chosen()
	if err != nil {
		return err
	}
	server := cmp.Or(a.server, a.Getenv(serverVariable))
	a.project = cmp.Or(a.project, a.Getenv(projectVariable), c.Project, defaultProject)
	if server == "" || server == c.Server {
		server, t.secure = cmp.Or(c.Server, defaultServer), c.TLS
	}
	a.server = server
	t.secure, err = t.override(t.secure)
	return err
}

// chosen is the context that is named or current, or an empty one.
func (a *app) chosen() (*contexts.Context, error) {
	file, err := a.contextsFile()
	if err != nil {
		return nil, err
	}
	a.target.named = cmp.Or(a.target.context, a.Getenv(contextVariable), file.Current)
	if a.target.named == "" {
		return &contexts.Context{}, nil
	}
	return file.Get(a.target.named)
}

var tlsFiles = []string{"tls-ca", "tls-cert", "tls-key"}

// override lays what the flags say over a context's TLS.
func (t *target) override(base *contexts.TLS) (*contexts.TLS, error) {
	given := t.flags.Changed("tls-server-name")
	for _, f := range tlsFiles {
		given = given || t.flags.Changed(f)
	}
	if t.flags.Changed("tls") && !t.useTLS {
		if given {
			return nil, usagef("--tls=false and other flags of TLS exclude each other: give one or the other")
		}
		return nil, nil
	}
	if !given && !t.useTLS {
		return base, nil
	}
	out := contexts.TLS{}
	if base != nil {
		out = *base
	}
	for flag, field := range map[string][2]*string{
		"tls-ca": {&out.CA, &t.tls.CA}, "tls-cert": {&out.Cert, &t.tls.Cert}, "tls-key": {&out.Key, &t.tls.Key},
		"tls-server-name": {&out.ServerName, &t.tls.ServerName},
	} {
		if t.flags.Changed(flag) {
			*field[0] = *field[1]
		}
	}
	return &out, nil
}

// absolute makes files that were named from here good for a file that is read from anywhere.
func absolute(t *contexts.TLS) error {
	if t == nil {
		return nil
	}
	for _, path := range []*string{&t.CA, &t.Cert, &t.Key} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return fmt.Errorf("find %s: %w", *path, err)
		}
		*path = abs
	}
	return nil
}

// credentials are how to speak to the API.
func (t *target) credentials() (credentials.TransportCredentials, error) {
	if t.secure == nil {
		return insecure.NewCredentials(), nil
	}
	conf, err := t.secure.Config()
	if err != nil {
		return nil, err
	}
	return credentials.NewTLS(conf), nil
}

// contextNames offers contexts after Tab.
func (a *app) contextNames(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	file, err := a.contextsFile()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return file.Names(), cobra.ShellCompDirectiveNoFileComp
}
