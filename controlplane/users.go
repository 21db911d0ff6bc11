package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/controlplane/internal/etcdserver"
	"github.com/pointsman/pointsman/controlplane/internal/etcdusers"
	"github.com/pointsman/pointsman/pkg/etcdaccess"
	"github.com/pointsman/pointsman/pkg/keys"
)

// usersLimit is how long all of etcd-users may take.
const usersLimit = 5 * time.Minute

// usersOptions are the flags of etcd-users.
type usersOptions struct {
	access   etcdaccess.Access
	insecure bool
	dir      string
	enable   bool
}

func etcdUsersCommand() *cobra.Command {
	var o usersOptions
	cmd := &cobra.Command{
		Use:   "etcd-users --dir DIR [SWITCH...]",
		Short: "Give each switch's agent a user in etcd that reaches what is its own",
		Long: `Give each switch's agent a user in etcd: it reads its switch's intents and the store's identity, writes its reports, and reaches
nothing else. Without names, all registered switches get one, and users of switches that are not registered any more go.

The user of SWITCH is pointsman-agent-SWITCH; its password is in DIR/SWITCH.password, which is made if it is not there and kept if it is.
Bring it to the switch, and name both in its agent.yaml. Run it again whenever a switch is registered or deleted.

--enable makes etcd ask everybody for a user from then on, control planes included: they take root, or a user of yours with its role.
Give --etcd-user root and its password file with it.`,
		Example: `  pointsman-controlplane etcd-users --etcd-endpoints https://10.0.0.1:2379 --etcd-ca ca.pem \
    --etcd-user root --etcd-password-file root.password --dir agents --enable`,
	}
	accessFlags(&o.access, cmd.Flags())
	cmd.Flags().BoolVar(&o.insecure, "insecure", false, "send passwords beyond the loopback without TLS")
	cmd.Flags().StringVar(&o.dir, "dir", "", "directory of the password files")
	cmd.Flags().BoolVar(&o.enable, "enable", false, "make etcd ask for users")
	cmd.RunE = func(cmd *cobra.Command, switches []string) error {
		if err := o.check(switches); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), usersLimit)
		defer cancel()
		client, err := etcdserver.Connect(o.access, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		defer func() { _ = client.Close() }() // all was answered
		return o.run(ctx, client, switches, cmd.OutOrStdout())
	}
	return cmd
}

func (o *usersOptions) check(switches []string) error {
	if len(o.access.Endpoints) == 0 {
		o.access.Endpoints = []string{"http://127.0.0.1:2379"}
	}
	errs := []error{checkAccess(o.access, o.insecure)}
	if o.dir == "" {
		errs = append(errs, errors.New("dir: name the directory that passwords are kept in"))
	}
	if o.enable && o.access.User != "root" {
		errs = append(errs, errors.New("enable: etcd wants a user root; give --etcd-user root and --etcd-password-file"))
	}
	for _, sw := range switches {
		if strings.ContainsAny(sw, "/.") || sw == "" {
			errs = append(errs, fmt.Errorf("%q is no switch's name", sw))
		}
	}
	return errors.Join(errs...)
}

func (o *usersOptions) run(ctx context.Context, client *clientv3.Client, switches []string, out io.Writer) error {
	registered, err := registeredSwitches(ctx, client)
	if err != nil {
		return err
	}
	var gone []string
	if len(switches) == 0 {
		if gone, err = etcdusers.Switches(ctx, client); err != nil {
			return err
		}
		gone = slices.DeleteFunc(gone, func(sw string) bool { return slices.Contains(registered, sw) })
		switches = registered
	}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return fmt.Errorf("make the directory of passwords: %w", err)
	}
	for _, sw := range switches {
		file := filepath.Join(o.dir, sw+".password")
		password, err := passwordIn(file)
		if err != nil {
			return err
		}
		if err := etcdusers.Ensure(ctx, client, sw, password); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "%s: user %s, password in %s\n", sw, etcdusers.Name(sw), file)
	}
	for _, sw := range gone {
		if err := etcdusers.Remove(ctx, client, sw); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "%s: is not registered, user %s is gone\n", sw, etcdusers.Name(sw))
	}
	if !o.enable {
		return nil
	}
	if err := etcdusers.Enable(ctx, client, client.Password); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "etcd asks for users")
	return err
}

func registeredSwitches(ctx context.Context, client *clientv3.Client) ([]string, error) {
	answer, err := client.Get(ctx, keys.Switches, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, fmt.Errorf("list switches: %w", err)
	}
	var out []string
	for _, kv := range answer.Kvs {
		out = append(out, strings.TrimPrefix(string(kv.Key), keys.Switches))
	}
	return out, nil
}

// passwordIn reads a password, or makes one. It is on disk before etcd knows it: who is interrupted runs the command again.
func passwordIn(file string) (string, error) {
	raw, err := os.ReadFile(file)
	if password := strings.TrimSpace(string(raw)); err == nil && password != "" {
		return password, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read password: %w", err)
	}
	password := rand.Text()
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write password: %w", err)
	}
	return password, nil
}
