package sonic

import (
	"context"
	"fmt"
	"maps"

	"github.com/redis/go-redis/v9"
)

// snapshot returns the rows as they are, our own changes included. It is not to be changed.
func (e *executor) snapshot() rows {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.config
}

func (e *executor) has(k Key) bool { return e.snapshot()[k] != nil }

// reread reads the rows anew: a port is about to move, and what others have said of it meanwhile must not kill a daemon.
func (e *executor) reread() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	config, err := e.dbs.readConfig(e.ctx)
	if err != nil {
		return err
	}
	e.config = config
	return nil
}

// put writes fields of a row, after they were found to be what SONiC's daemons survive. Other fields of the row stay.
func (e *executor) put(key Key, row Row) error {
	if err := validate(key, row); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := conflict(e.config, key, row); err != nil {
		return err
	}
	db := e.dbs[configDB]
	if err := db.client.HSet(e.ctx, key.join(db.separator), row.stored()).Err(); err != nil {
		return db.failed(fmt.Sprintf("write %s", key), err)
	}
	e.config = e.config.with(key, row)
	return nil
}

// drop deletes rows, in order. Rows that are gone are no error.
func (e *executor) drop(keys ...Key) error {
	if len(keys) == 0 {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	db := e.dbs[configDB]
	if _, err := db.client.Pipelined(e.ctx, func(p redis.Pipeliner) error {
		for _, k := range keys {
			p.Del(e.ctx, k.join(db.separator))
		}
		return nil
	}); err != nil {
		return db.failed(fmt.Sprintf("delete %v", keys), err)
	}
	config := maps.Clone(e.config)
	for _, k := range keys {
		delete(config, k)
	}
	e.config = config
	return nil
}

// await waits for SONiC's daemons, the ASIC or the kernel, within the deadline of one step.
func (e *executor) await(look func(context.Context) (missing string, err error)) error {
	if e.careless {
		return nil
	}
	return e.changes.await(e.ctx, e.deadline, look)
}

// stateRow reads one row of STATE_DB.
func (e *executor) stateRow(ctx context.Context, k Key) (Row, bool, error) {
	db := e.dbs[stateDB]
	return db.get(ctx, k.join(db.separator))
}

// forgotten looks whether STATE_DB has let go of rows.
func (e *executor) forgotten(ctx context.Context, keys ...Key) (missing string, err error) {
	for _, k := range keys {
		if _, there, err := e.stateRow(ctx, k); err != nil || there {
			return fmt.Sprintf("%s still has %s", stateDB, k), err
		}
	}
	return "", nil
}
