package sonic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
)

// Databases that the agent reads or writes.
const (
	applDB     = "APPL_DB"
	asicDB     = "ASIC_DB"
	countersDB = "COUNTERS_DB"
	configDB   = "CONFIG_DB"
	stateDB    = "STATE_DB"
)

var neededDatabases = []string{applDB, asicDB, countersDB, configDB, stateDB}

// layout is SONiC's database_config.json: which Redis holds which database, and how its keys are written. Nothing of it is assumed:
// switches with several ASICs or with passwords have several instances, and vendors move databases between them.
type layout struct {
	Instances map[string]instance `json:"INSTANCES"`
	Databases map[string]location `json:"DATABASES"`
}

// instance is one Redis server.
type instance struct {
	Hostname string `json:"hostname"`
	Port     int    `json:"port"`
	Socket   string `json:"unix_socket_path"`
	Username string `json:"username"`
	// PasswordFile holds the password, where there is one.
	PasswordFile string `json:"password_path"`
}

// location is where a database is.
type location struct {
	ID        int    `json:"id"`
	Separator string `json:"separator"`
	Instance  string `json:"instance"`
}

// maxDatabaseID is far above what any Redis is configured for; what is larger is a damaged file.
const maxDatabaseID = 1 << 14

// parseLayout reads database_config.json. Errors name what is wrong in it; databases that we do not use may be anything.
func parseLayout(raw []byte) (layout, error) {
	var l layout
	if err := json.Unmarshal(raw, &l); err != nil {
		return layout{}, fmt.Errorf("parse: %w", err)
	}
	var errs []error
	for _, name := range neededDatabases {
		if err := l.check(name); err != nil {
			errs = append(errs, fmt.Errorf("DATABASES.%s: %w", name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return layout{}, err
	}
	return l, nil
}

func (l layout) check(name string) error {
	at, ok := l.Databases[name]
	if !ok {
		return errors.New("is missing")
	}
	in, ok := l.Instances[at.Instance]
	switch {
	case !ok:
		return fmt.Errorf("instance %q is not among INSTANCES %q", at.Instance, slices.Sorted(maps.Keys(l.Instances)))
	case at.ID < 0 || at.ID > maxDatabaseID:
		return fmt.Errorf("id %d is not in 0-%d", at.ID, maxDatabaseID)
	case len(at.Separator) != 1 || at.Separator == "*" || at.Separator == "?" || at.Separator == "[" || at.Separator == "\\":
		return fmt.Errorf("separator %q is not one plain character", at.Separator)
	case in.Socket == "" && in.Hostname == "":
		return fmt.Errorf("instance %q has neither unix_socket_path nor hostname", at.Instance)
	case in.Socket == "" && (in.Port < 1 || in.Port > 65535):
		return fmt.Errorf("instance %q: port %d is not in 1-65535", at.Instance, in.Port)
	}
	for _, other := range neededDatabases {
		if o, ok := l.Databases[other]; ok && other < name && o.Instance == at.Instance && o.ID == at.ID {
			return fmt.Errorf("id %d of instance %q is that of %s too", at.ID, at.Instance, other)
		}
	}
	return nil
}

// address is how the instance is dialled: by its socket, which is there on the switch itself; by TCP where it is not.
func (i instance) address() (network, addr string) {
	if i.Socket != "" {
		if _, err := os.Stat(i.Socket); err == nil || i.Hostname == "" || i.Port == 0 {
			return "unix", i.Socket
		}
	}
	return "tcp", net.JoinHostPort(i.Hostname, strconv.Itoa(i.Port))
}

// credentials reads the password anew for each connection: it may be changed while the agent runs.
func (i instance) credentials() (user, password string, err error) {
	if i.PasswordFile == "" {
		return i.Username, "", nil
	}
	raw, err := os.ReadFile(i.PasswordFile)
	if err != nil {
		return "", "", fmt.Errorf("read password of Redis: %w", err)
	}
	return i.Username, string(bytes.TrimSpace(raw)), nil
}
