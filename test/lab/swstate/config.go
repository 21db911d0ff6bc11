package swstate

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/pointsman/pointsman/test/lab/swstate/core"
)

// initialised is CONFIG_DB's key that says that it is complete. The daemons wait for it.
const initialised = "CONFIG_DB_INITIALIZED"

// Load fills CONFIG_DB from a config_db.json, after emptying it, as a switch does when it boots, and says that it is complete.
func Load(ctx context.Context, databaseConfig, file string) error {
	l, err := readLayout(databaseConfig)
	if err != nil {
		return err
	}
	db, err := l.open(core.Config)
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := readConfigFile(file)
	if err != nil {
		return err
	}
	if err := db.FlushDB(ctx).Err(); err != nil {
		return fmt.Errorf("empty CONFIG_DB: %w", err)
	}
	for key, fields := range rows {
		if err := db.HSet(ctx, key.Join(db.separator), map[string]string(fields)).Err(); err != nil {
			return fmt.Errorf("write %s: %w", key, err)
		}
	}
	if err := db.Set(ctx, initialised, "1", 0).Err(); err != nil {
		return fmt.Errorf("write %s: %w", initialised, err)
	}
	return nil
}

// readConfigFile reads a config_db.json: tables of rows of fields, which are texts, or lists of texts.
func readConfigFile(file string) (map[core.Key]core.Fields, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	var tables map[string]map[string]map[string]any
	if err := json.Unmarshal(text, &tables); err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", file, err)
	}
	rows := map[core.Key]core.Fields{}
	for table, named := range tables {
		for name, values := range named {
			first, sub, _ := strings.Cut(name, "|")
			fields, err := configFields(values)
			if err != nil {
				return nil, fmt.Errorf("read configuration %s: %s|%s: %w", file, table, name, err)
			}
			rows[core.Key{DB: core.Config, Table: table, Name: first, Sub: sub}] = fields
		}
	}
	return rows, nil
}

// configFields are a row's fields as Redis has them: a list is joined by commas under its name and an @, and no field at all is one called NULL.
func configFields(values map[string]any) (core.Fields, error) {
	fields := core.Fields{}
	for name, value := range values {
		switch v := value.(type) {
		case string:
			fields[name] = v
		case []any:
			var items []string
			for _, item := range v {
				items = append(items, fmt.Sprint(item))
			}
			fields[name+"@"] = strings.Join(items, ",")
		default:
			return nil, fmt.Errorf("field %q is neither a text nor a list", name)
		}
	}
	if len(fields) == 0 {
		fields["NULL"] = "NULL"
	}
	return fields, nil
}
