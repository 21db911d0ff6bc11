package swstate

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/pointsman/pointsman/test/lab/swstate/core"
)

// What a run does before the daemons start.

func (r *runner) open() error {
	path := r.options.DatabaseConfig
	if path == "" {
		path = DatabaseConfig
	}
	l, err := readLayout(path)
	if err != nil {
		return err
	}
	for _, name := range []core.DB{core.Config, core.Appl, core.State, core.Asic, core.Counters} {
		if r.databases[name], err = l.open(name); err != nil {
			delete(r.databases, name)
			return err
		}
	}
	return nil
}

func (r *runner) close() {
	for _, db := range r.databases {
		_ = db.Close()
	}
}

// awaitConfig waits until CONFIG_DB is complete.
func (r *runner) awaitConfig(ctx context.Context, changes <-chan *redis.Message) error {
	for {
		value, err := r.databases[core.Config].Get(ctx, initialised).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return fmt.Errorf("read %s: %w", initialised, err)
		}
		if value == "1" {
			return nil
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return nil
		}
	}
}

// ours are the tables of STATE_DB that swss's start empties. (sonic-swss's swss.sh.)
var ours = []string{
	"PORT_TABLE", "VLAN_TABLE", "VLAN_MEMBER_TABLE", "INTERFACE_TABLE", "VRF_TABLE", "VRF_OBJECT_TABLE", "VXLAN_TUNNEL_TABLE", "SUPPRESS_VLAN_NEIGH_TABLE",
}

// forget empties what an earlier run wrote.
func (r *runner) forget(ctx context.Context) error {
	for _, name := range []core.DB{core.Appl, core.Asic, core.Counters} {
		if err := r.databases[name].FlushDB(ctx).Err(); err != nil {
			return fmt.Errorf("empty %s: %w", name, err)
		}
	}
	db := r.databases[core.State]
	for _, table := range ours {
		keys, err := db.Keys(ctx, table+db.separator+"*").Result()
		if err == nil && len(keys) > 0 {
			err = db.Del(ctx, keys...).Err()
		}
		if err != nil {
			return fmt.Errorf("empty STATE_DB's %s: %w", table, err)
		}
	}
	return nil
}

func (r *runner) readConfig(ctx context.Context) (map[core.Key]core.Fields, error) {
	db := r.databases[core.Config]
	keys, err := db.Keys(ctx, "*").Result()
	if err != nil {
		return nil, fmt.Errorf("list CONFIG_DB: %w", err)
	}
	rows := map[core.Key]core.Fields{}
	for _, text := range keys {
		if key, ok := db.key(core.Config, text); ok {
			fields, err := db.HGetAll(ctx, text).Result()
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", key, err)
			}
			if len(fields) > 0 {
				rows[key] = fields
			}
		}
	}
	return rows, nil
}
