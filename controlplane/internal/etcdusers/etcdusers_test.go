package etcdusers_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/controlplane/internal/etcdserver"
	"github.com/pointsman/pointsman/controlplane/internal/etcdtest"
	"github.com/pointsman/pointsman/controlplane/internal/etcdusers"
	"github.com/pointsman/pointsman/pkg/etcdaccess"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/test/simswitch"
)

// connect is a client that knows its user and password.
func connect(t *testing.T, endpoint, user, password string) *clientv3.Client {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := etcdserver.Connect(etcdaccess.Access{Endpoints: []string{endpoint}, User: user, PasswordFile: file}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// own is what leaf01 may read; forbidden is one key of each kind of what it may not.
var (
	own       = []string{keys.Store, keys.SwitchConfig("leaf01"), keys.PortIntent("leaf01", "swp1"), keys.PortStatus("leaf01", "swp1"), keys.Discovery("leaf01", "swp1")}
	forbidden = []string{
		keys.Network("default", "blue"), keys.Allocation("default", "web"), keys.Switch("leaf01"), keys.Machine("machine01"), keys.NetworkIPs("blue") + "10.1.0.1",
		keys.ASN(4201000000), keys.VNI(100000), keys.Request("r"), keys.Receipt("web"), keys.Change("c"), keys.SwitchConfig("leaf02"), keys.PortIntent("leaf010", "swp1"),
		keys.PortStatus("leaf02", "swp1"), keys.Alive("leaf010"), keys.Discovery("leaf02", "swp1"), keys.Prefix, "/elsewhere", "a", "switches/leaf01/config",
	}
)

// guarded is an etcd that asks for users, with leaf01's and leaf010's, and its root.
func guarded(t *testing.T) (endpoint string, root *clientv3.Client) {
	t.Helper()
	endpoint = etcdtest.Start(t)
	open := etcdtest.Client(t, endpoint)
	for _, sw := range []string{"leaf01", "leaf010"} {
		if err := etcdusers.Ensure(t.Context(), open, sw, "secret of "+sw); err != nil {
			t.Fatal(err)
		}
	}
	if err := etcdusers.Enable(t.Context(), open, "rule"); err != nil {
		t.Fatal(err)
	}
	root = connect(t, endpoint, "root", "rule")
	for _, key := range slices.Concat(forbidden, own) {
		if _, err := root.Put(t.Context(), key, "x"); err != nil {
			t.Fatal(err)
		}
	}
	return endpoint, root
}

func denied(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, rpctypes.ErrPermissionDenied) {
		t.Errorf("%s: %v, want permission denied", what, err)
	}
}

// TestAnAgentReachesItsOwnAndNothingElse: one key, a range or a transaction at a time.
func TestAnAgentReachesItsOwnAndNothingElse(t *testing.T) {
	endpoint, _ := guarded(t)
	agent := connect(t, endpoint, etcdusers.Name("leaf01"), "secret of leaf01")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, key := range own {
		if got, err := agent.Get(ctx, key); err != nil || len(got.Kvs) != 1 {
			t.Errorf("read %s: %v, %v", key, got, err)
		}
	}
	for _, key := range []string{keys.Store, keys.SwitchConfig("leaf01"), keys.PortIntent("leaf01", "swp9"), keys.Probe("leaf01", "web")} {
		_, err := agent.Put(ctx, key, "forged")
		denied(t, "write "+key, err)
	}
	for _, key := range forbidden {
		_, err := agent.Get(ctx, key)
		denied(t, "read "+key, err)
		_, err = agent.Put(ctx, key, "forged")
		denied(t, "write "+key, err)
		_, err = agent.Delete(ctx, key)
		denied(t, "delete "+key, err)
		_, err = agent.Txn(ctx).If(clientv3.Compare(clientv3.Version(key), ">", 0)).Then(clientv3.OpGet(keys.Store)).Commit()
		denied(t, "compare "+key, err)
		watched, stop := context.WithTimeout(ctx, 5*time.Second)
		answer := <-agent.Watch(watched, key)
		stop()
		if answer.Err() == nil || len(answer.Events) > 0 {
			t.Errorf("watch %s: %+v", key, answer)
		}
	}
	for _, root := range []string{keys.Prefix, keys.Intents, keys.Statuses, keys.Discoveries, "/pointsman/v1/switches/leaf01", "/"} {
		_, err := agent.Get(ctx, root, clientv3.WithPrefix())
		denied(t, "list "+root, err)
	}
	_, err := agent.UserAdd(ctx, "friend", "x")
	denied(t, "make a user", err)
	_, err = agent.RoleGrantPermission(ctx, etcdusers.Name("leaf01"), "/", "0", 2)
	denied(t, "grant itself more", err)
	_, err = agent.AuthDisable(ctx)
	denied(t, "switch the guard off", err)
}

// TestAnAgentWorksWithItsUser: a whole simulated switch, heartbeat, watch and reports, lives on it.
func TestAnAgentWorksWithItsUser(t *testing.T) {
	endpoint, root := guarded(t)
	agent := connect(t, endpoint, etcdusers.Name("leaf01"), "secret of leaf01")
	for _, prefix := range []string{keys.SwitchIntents("leaf01"), keys.SwitchStatuses("leaf01"), keys.SwitchDiscoveries("leaf01")} {
		if _, err := root.Delete(t.Context(), prefix, clientv3.WithPrefix()); err != nil {
			t.Fatal(err)
		}
	}
	sw, err := simswitch.Start(t.Context(), agent, "leaf01")
	if err != nil {
		t.Fatal(err)
	}
	etcdtest.Eventually(t, func() error {
		alive, err := root.Get(t.Context(), keys.Alive("leaf01"))
		if err == nil && len(alive.Kvs) != 1 {
			err = errors.New("there is no heartbeat")
		}
		return err
	})
	if err := sw.Hear(t.Context(), "swp1", simswitch.Machine("machine01", "02:00:5e:10:00:00", "02:00:5e:10:00:01")); err != nil {
		t.Error(err)
	}
	if err := sw.Stop(); err != nil {
		t.Error(err)
	}
}

// TestNobodyWithoutAUser: no name, a wrong password, another's name, a switch that was removed.
func TestNobodyWithoutAUser(t *testing.T) {
	endpoint, root := guarded(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ask := func(c *clientv3.Client) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		_, err := c.Get(ctx, keys.Store)
		return err
	}
	for what, c := range map[string]*clientv3.Client{
		"no user": etcdtest.Client(t, endpoint), "a wrong password": connect(t, endpoint, etcdusers.Name("leaf01"), "guessed"),
		"another's password": connect(t, endpoint, etcdusers.Name("leaf01"), "secret of leaf010"),
	} {
		if ask(c) == nil {
			t.Errorf("with %s etcd answers", what)
		}
	}
	agent := connect(t, endpoint, etcdusers.Name("leaf01"), "secret of leaf01")
	if err := ask(agent); err != nil {
		t.Fatal(err)
	}
	if err := etcdusers.Remove(ctx, root, "leaf01"); err != nil {
		t.Fatal(err)
	}
	if ask(agent) == nil {
		t.Error("the user of a switch that was removed is still let in")
	}
	left, err := etcdusers.Switches(ctx, root)
	if err != nil || !slices.Equal(left, []string{"leaf010"}) {
		t.Errorf("%v, %v", left, err)
	}
}

// TestEnsureTakesBackTooMuch: what somebody granted by hand is gone, and a new password replaces the old.
func TestEnsureTakesBackTooMuch(t *testing.T) {
	endpoint, root := guarded(t)
	ctx := t.Context()
	name := etcdusers.Name("leaf01")
	if _, err := root.RoleGrantPermission(ctx, name, keys.Prefix, clientv3.GetPrefixRangeEnd(keys.Prefix), 2); err != nil {
		t.Fatal(err)
	}
	if _, err := root.UserGrantRole(ctx, name, "root"); err != nil {
		t.Fatal(err)
	}
	if err := etcdusers.Ensure(ctx, root, "leaf01", "renewed"); err != nil {
		t.Fatal(err)
	}
	agent := connect(t, endpoint, name, "renewed")
	if _, err := agent.Get(ctx, keys.SwitchConfig("leaf01")); err != nil {
		t.Error(err)
	}
	_, err := agent.Get(ctx, keys.SwitchConfig("leaf02"))
	denied(t, "another's configuration", err)
}
