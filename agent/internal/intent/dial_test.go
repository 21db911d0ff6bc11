package intent_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/agent/internal/etcdtest"
	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/pkg/etcdaccess"
	"github.com/pointsman/pointsman/pkg/keys"
)

// TestAUserOfAnEtcdThatIsAway: with a password, too, an agent starts while its etcd is away, and is let in to what is its own
// once that is there, again after etcd has forgotten whom it let in.
func TestAUserOfAnEtcdThatIsAway(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	address, dir := etcdtest.FreeAddress(t), t.TempDir()
	server := etcdtest.Start(t, address, dir)
	demandUsers(ctx, t, server.Endpoint)
	server.Stop()

	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	client, err := intent.Dial(etcdaccess.Access{Endpoints: []string{server.Endpoint}, User: "leaf01", PasswordFile: file}, "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if took := time.Since(began); took > time.Second {
		t.Errorf("it waited %s for an etcd that is away", took)
	}
	for range 2 {
		server = etcdtest.Start(t, address, dir)
		if _, err := client.Get(ctx, keys.SwitchIntents("leaf01"), clientv3.WithPrefix()); err != nil {
			t.Errorf("what is its own: %v", err)
		}
		if _, err := client.Get(ctx, keys.SwitchIntents("leaf02"), clientv3.WithPrefix()); !errors.Is(err, rpctypes.ErrPermissionDenied) {
			t.Errorf("what is another's: %v", err)
		}
		server.Stop()
	}
}

// demandUsers makes etcd ask for users: root, and leaf01 with its intents.
func demandUsers(ctx context.Context, t *testing.T, endpoint string) {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	own := keys.SwitchIntents("leaf01")
	for _, step := range []func() error{
		func() error { _, err := c.RoleAdd(ctx, "root"); return err },
		func() error { _, err := c.UserAdd(ctx, "root", "rule"); return err },
		func() error { _, err := c.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := c.RoleAdd(ctx, "leaf01"); return err },
		func() error {
			_, err := c.RoleGrantPermission(ctx, "leaf01", own, clientv3.GetPrefixRangeEnd(own), clientv3.PermissionType(clientv3.PermRead))
			return err
		},
		func() error { _, err := c.UserAdd(ctx, "leaf01", "secret"); return err },
		func() error { _, err := c.UserGrantRole(ctx, "leaf01", "leaf01"); return err },
		func() error { _, err := c.AuthEnable(ctx); return err },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
}
