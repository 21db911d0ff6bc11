package swstate

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/pointsman/pointsman/test/lab/swstate/core"
)

// Where a SONiC switch keeps things.
const (
	DatabaseConfig = "/var/run/redis/sonic-db/database_config.json"
	ConfigFile     = "/etc/sonic/config_db.json"
	Socket         = "/run/redis/redis.sock"
)

// databaseConfig is what the switch of the lab writes to DatabaseConfig: one Redis that holds all, as on most real ones.
const databaseConfig = `{
    "INSTANCES": {
        "redis": {"hostname": "127.0.0.1", "port": 6379, "unix_socket_path": "/var/run/redis/redis.sock", "persistence_for_warm_boot": "yes"}
    },
    "DATABASES": {
        "APPL_DB": {"id": 0, "separator": ":", "instance": "redis"},
        "ASIC_DB": {"id": 1, "separator": ":", "instance": "redis"},
        "COUNTERS_DB": {"id": 2, "separator": ":", "instance": "redis"},
        "LOGLEVEL_DB": {"id": 3, "separator": ":", "instance": "redis"},
        "CONFIG_DB": {"id": 4, "separator": "|", "instance": "redis"},
        "FLEX_COUNTER_DB": {"id": 5, "separator": ":", "instance": "redis"},
        "STATE_DB": {"id": 6, "separator": "|", "instance": "redis"}
    },
    "VERSION": "1.0"
}
`

// layout is a database_config.json: which databases there are, and where.
type layout struct {
	Instances map[string]instance `json:"INSTANCES"`
	Databases map[core.DB]struct {
		ID        int    `json:"id"`
		Separator string `json:"separator"`
		Instance  string `json:"instance"`
	} `json:"DATABASES"`
}

type instance struct {
	Host         string `json:"hostname"`
	Port         int    `json:"port"`
	Socket       string `json:"unix_socket_path"`
	PasswordFile string `json:"password_path"`
}

func readLayout(path string) (layout, error) {
	var l layout
	text, err := os.ReadFile(path)
	if err != nil {
		return l, fmt.Errorf("read database configuration: %w", err)
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return l, fmt.Errorf("read database configuration %s: %w", path, err)
	}
	return l, nil
}

// database is one database, and the separator of its keys.
type database struct {
	*redis.Client
	id        int
	separator string
}

func (l layout) open(name core.DB) (database, error) {
	d, ok := l.Databases[name]
	if !ok {
		return database{}, fmt.Errorf("open %s: the database configuration has none", name)
	}
	at, ok := l.Instances[d.Instance]
	if !ok {
		return database{}, fmt.Errorf("open %s: the database configuration has no instance %q", name, d.Instance)
	}
	o := &redis.Options{DB: d.ID, Network: "unix", Addr: at.Socket}
	if at.Socket == "" {
		o.Network, o.Addr = "tcp", fmt.Sprintf("%s:%d", at.Host, at.Port)
	}
	if at.PasswordFile != "" {
		password, err := os.ReadFile(at.PasswordFile)
		if err != nil {
			return database{}, fmt.Errorf("open %s: read password: %w", name, err)
		}
		o.Password = strings.TrimSpace(string(password))
	}
	return database{redis.NewClient(o), d.ID, d.Separator}, nil
}

// key takes a key apart; ok is false for what is no row of a table.
func (d database) key(name core.DB, text string) (key core.Key, ok bool) {
	parts := strings.SplitN(text, d.separator, 3)
	if len(parts) < 2 {
		return core.Key{}, false
	}
	key = core.Key{DB: name, Table: parts[0], Name: parts[1]}
	if len(parts) == 3 {
		key.Sub = parts[2]
	}
	return key, true
}
