package core

import "maps"

// DB is one of the databases, by the name that database_config.json gives it.
type DB string

// The databases that a switch's daemons and agents read and write.
const (
	Config   DB = "CONFIG_DB"
	Appl     DB = "APPL_DB"
	State    DB = "STATE_DB"
	Asic     DB = "ASIC_DB"
	Counters DB = "COUNTERS_DB"
)

// Key names a row. Its parts are joined by the database's separator: CONFIG_DB's INTERFACE|Ethernet0|10.0.0.1/31,
// ASIC_DB's ASIC_STATE:SAI_OBJECT_TYPE_PORT:oid:0x1000000000002.
type Key struct {
	DB        DB
	Table     string
	Name, Sub string // Name is empty where the table is one row; Sub where the key has no third part
}

// Join returns the key as Redis has it.
func (k Key) Join(separator string) string {
	text := k.Table
	for _, part := range []string{k.Name, k.Sub} {
		if part != "" {
			text += separator + part
		}
	}
	return text
}

func (k Key) String() string { return string(k.DB) + " " + k.Join("|") }

// id is what tells rows of one table apart, and what consumers sort by.
func (k Key) id() string { return Key{Table: k.Name, Name: k.Sub}.Join("|") }

// Fields are a row's fields and values.
type Fields map[string]string

// merge returns the fields with those of more over them.
func (f Fields) merge(more Fields) Fields {
	merged := maps.Clone(f)
	if merged == nil {
		merged = Fields{}
	}
	maps.Copy(merged, more)
	return merged
}

// empty is the field that stands for none: a hash of Redis has at least one.
var empty = Fields{"NULL": "NULL"}

var stateOK = Fields{"state": "ok"}
