// Package etcdusers gives each agent a user in etcd that reaches what is its own and nothing else: it reads its switch's intents
// and the store's identity, and writes its reports. The control plane's command etcd-users calls it. It changes nothing but
// etcd's users and roles.
package etcdusers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/authpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/pkg/keys"
)

// prefix begins the names of agents' users and roles, so that others in the same etcd are left alone.
const prefix = "pointsman-agent-"

// Name is what a switch's user and role are called.
func Name(sw string) string { return prefix + sw }

// grant is what an agent may do with a range of keys.
type grant struct {
	from, end string
	may       clientv3.PermissionType
}

func grants(sw string) []grant {
	under := func(root string, may clientv3.PermissionType) grant {
		return grant{root, clientv3.GetPrefixRangeEnd(root), may}
	}
	read, write := clientv3.PermissionType(authpb.READ), clientv3.PermissionType(authpb.READWRITE)
	return []grant{
		{keys.Store, "", read},
		under(keys.SwitchIntents(sw), read),
		// Agents read back what they reported before they were started anew.
		under(keys.SwitchStatuses(sw), write),
		under(keys.SwitchDiscoveries(sw), write),
	}
}

// Ensure makes a switch's user with a password, or gives it that password, and lets it do what grants says and no more.
func Ensure(ctx context.Context, c *clientv3.Client, sw, password string) error {
	name := Name(sw)
	if err := ensureRole(ctx, c, name, grants(sw)); err != nil {
		return fmt.Errorf("make role %q: %w", name, err)
	}
	if err := ensureUser(ctx, c, name, password, name); err != nil {
		return fmt.Errorf("make user %q: %w", name, err)
	}
	return nil
}

// ensureRole revokes what is too much, too.
func ensureRole(ctx context.Context, c *clientv3.Client, name string, wanted []grant) error {
	if _, err := c.RoleAdd(ctx, name); err != nil && !errors.Is(err, rpctypes.ErrRoleAlreadyExist) {
		return err
	}
	role, err := c.RoleGet(ctx, name)
	if err != nil {
		return err
	}
	for _, p := range role.Perm {
		has := grant{string(p.Key), string(p.RangeEnd), clientv3.PermissionType(p.PermType)}
		if slices.Contains(wanted, has) {
			continue
		}
		if _, err := c.RoleRevokePermission(ctx, name, has.from, has.end); err != nil {
			return err
		}
	}
	for _, g := range wanted {
		if _, err := c.RoleGrantPermission(ctx, name, g.from, g.end, g.may); err != nil {
			return err
		}
	}
	return nil
}

// ensureUser takes other roles away.
func ensureUser(ctx context.Context, c *clientv3.Client, name, password, role string) error {
	_, err := c.UserAdd(ctx, name, password)
	if errors.Is(err, rpctypes.ErrUserAlreadyExist) {
		_, err = c.UserChangePassword(ctx, name, password)
	}
	if err != nil {
		return err
	}
	user, err := c.UserGet(ctx, name)
	if err != nil {
		return err
	}
	for _, other := range user.Roles {
		if other == role {
			continue
		}
		if _, err := c.UserRevokeRole(ctx, name, other); err != nil {
			return err
		}
	}
	_, err = c.UserGrantRole(ctx, name, role)
	return err
}

// Switches lists the switches that have users, sorted.
func Switches(ctx context.Context, c *clientv3.Client) ([]string, error) {
	users, err := c.UserList(ctx)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	var out []string
	for _, name := range users.Users {
		if sw, ok := strings.CutPrefix(name, prefix); ok {
			out = append(out, sw)
		}
	}
	slices.Sort(out)
	return out, nil
}

// Remove deletes a switch's user and role. Its connections end.
func Remove(ctx context.Context, c *clientv3.Client, sw string) error {
	name := Name(sw)
	if _, err := c.UserDelete(ctx, name); err != nil && !errors.Is(err, rpctypes.ErrUserNotFound) {
		return fmt.Errorf("delete user %q: %w", name, err)
	}
	if _, err := c.RoleDelete(ctx, name); err != nil && !errors.Is(err, rpctypes.ErrRoleNotFound) {
		return fmt.Errorf("delete role %q: %w", name, err)
	}
	return nil
}

// Enable makes etcd ask everybody who they are, after it has made its user root. On an etcd that asks already it does nothing.
func Enable(ctx context.Context, c *clientv3.Client, rootPassword string) error {
	status, err := c.AuthStatus(ctx)
	if err != nil {
		return fmt.Errorf("read whether etcd asks for users: %w", err)
	}
	if status.Enabled {
		return nil
	}
	if _, err := c.RoleAdd(ctx, "root"); err != nil && !errors.Is(err, rpctypes.ErrRoleAlreadyExist) {
		return fmt.Errorf("make role root: %w", err)
	}
	if err := ensureUser(ctx, c, "root", rootPassword, "root"); err != nil {
		return fmt.Errorf("make user root: %w", err)
	}
	if _, err := c.AuthEnable(ctx); err != nil {
		return fmt.Errorf("make etcd ask for users: %w", err)
	}
	return nil
}
