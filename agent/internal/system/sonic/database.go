package sonic

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// database is one of SONiC's databases, in whichever Redis it is.
type database struct {
	name, separator, instance string
	id                        int
	client                    *redis.Client
}

// databases are those that the agent uses, by name.
type databases map[string]database

// answerTimeout is how long Redis may take to answer: it shares the switch's CPU with whatever is busy there.
const answerTimeout = 10 * time.Second

// openDatabases reads the layout and makes clients. It does not connect: Redis may start after the agent, and restart under it.
func openDatabases(file string) (databases, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read where SONiC's databases are: %w", err)
	}
	l, err := parseLayout(raw)
	if err != nil {
		return nil, fmt.Errorf("read where SONiC's databases are: %s: %w", file, err)
	}
	dbs := databases{}
	for _, name := range neededDatabases {
		at := l.Databases[name]
		in := l.Instances[at.Instance]
		network, addr := in.address()
		dbs[name] = database{name: name, separator: at.Separator, instance: at.Instance, id: at.ID, client: redis.NewClient(&redis.Options{
			Network: network, Addr: addr, DB: at.ID,
			CredentialsProviderContext: func(context.Context) (string, string, error) { return in.credentials() },
			// SONiC's Redis is 6.0 and later: what newer ones can, it answers with errors.
			Protocol: 2, DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
			DialTimeout: answerTimeout, ReadTimeout: answerTimeout, WriteTimeout: answerTimeout, PoolTimeout: answerTimeout, ContextTimeoutEnabled: true,
			PoolSize: 4,
		})}
	}
	return dbs, nil
}

func (d databases) close() error {
	var errs []error
	for _, db := range d {
		errs = append(errs, db.client.Close())
	}
	return errors.Join(errs...)
}

// failed says of an error which database gave it.
func (d database) failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s in %s: %w", doing, d.name, err)
}

// get reads one row by its whole key.
func (d database) get(ctx context.Context, key string) (row Row, exists bool, err error) {
	fields, err := d.client.HGetAll(ctx, key).Result()
	if err != nil {
		return nil, false, d.failed("read "+key, err)
	}
	return parseRow(fields), len(fields) > 0, nil
}

// getAll reads several rows in one round trip. Those that are not there are not in the answer.
func (d database) getAll(ctx context.Context, keys []string) (map[string]Row, error) {
	out := map[string]Row{}
	for from := 0; from < len(keys); from += rowsAtOnce {
		part := keys[from:min(from+rowsAtOnce, len(keys))]
		answers := make([]*redis.MapStringStringCmd, len(part))
		// A key that holds no hash is nobody's row; its own answer says so, and only that one is left out.
		if _, err := d.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, key := range part {
				answers[i] = p.HGetAll(ctx, key)
			}
			return nil
		}); err != nil && !strings.HasPrefix(err.Error(), "WRONGTYPE") {
			return nil, d.failed("read rows", err)
		}
		for i, a := range answers {
			fields, err := a.Result()
			switch {
			case err != nil && strings.HasPrefix(err.Error(), "WRONGTYPE"):
			case err != nil:
				return nil, d.failed("read "+part[i], err)
			case len(fields) > 0:
				out[part[i]] = parseRow(fields)
			}
		}
	}
	return out, nil
}

const (
	// rowsAtOnce keeps one answer of Redis from holding up everybody else's.
	rowsAtOnce = 500
	// scanAtOnce is how many keys Redis looks at in one step of a scan: ASIC_DB holds a key for each route.
	scanAtOnce = 2000
)

// scan lists the keys of a pattern. What is there from begin to end is listed once; what comes or goes meanwhile may be or not.
func (d database) scan(ctx context.Context, pattern string) ([]string, error) {
	seen := map[string]bool{}
	var keys []string
	var cursor uint64
	for {
		part, next, err := d.client.Scan(ctx, cursor, pattern, scanAtOnce).Result()
		if err != nil {
			return nil, d.failed("list "+pattern, err)
		}
		for _, k := range part {
			if !seen[k] {
				seen[k] = true
				keys = append(keys, k)
			}
		}
		if cursor = next; cursor == 0 {
			return keys, nil
		}
	}
}

// notifies reports whether Redis tells of every change of a key: hashes, deletions, and by key.
func (d database) notifies(ctx context.Context) (bool, error) {
	answer, err := d.client.ConfigGet(ctx, "notify-keyspace-events").Result()
	if err != nil {
		return false, d.failed("ask whether changes are told of", err)
	}
	flags := answer["notify-keyspace-events"]
	all := strings.Contains(flags, "A")
	return strings.Contains(flags, "K") && (all || strings.Contains(flags, "h") && strings.Contains(flags, "g")), nil
}
