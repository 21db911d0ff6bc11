// Package core is a SONiC switch's swss and syncd as a pure machine: rows of CONFIG_DB and time go in; what the daemons do to the other
// databases and to the kernel comes out. Package swstate puts Redis and netlink around it; tests drive it by hand.
//
// It keeps what matters to an agent beside the real daemons: that a change passes through several processes, each with its own delay; that they
// do their work sorted by key and not in the order of arrival; that a deletion and what follows it become one; and that they die, or drop a
// change for ever, where the real ones do. Each daemon is a file, which names the source that it follows (sonic-swss, branch 202411).
package core

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Options say how the daemons behave in time.
type Options struct {
	// Delay is how long a daemon takes to come to what has arrived at one of its tables.
	Delay func(daemon, table string) time.Duration
	// Retry is how long an idle daemon waits until it tries again what it could not do; zero is a second, as in the real ones.
	Retry time.Duration
	// FirstOID is where object numbers start: an agent must not count on them.
	FirstOID uint64
}

// Switch is the machine. It is not safe for concurrent use.
type Switch struct {
	options   Options
	now       time.Time
	mac       string
	daemons   []*daemon
	consumers map[Key][]*consumer
	rows      map[Key]Fields // of all databases
	effects   []Effect
	dead      bool

	kernel kernel
	asic   asic
	portsyncd
	portmgrd
	vlanmgrd
	vrfmgrd
	vxlanmgrd
	orchagent
}

// New starts a switch whose CONFIG_DB holds the given rows: it takes over nothing of what was. The first effects reset the kernel; the databases
// other than CONFIG_DB are the caller's to empty before.
func New(now time.Time, config map[Key]Fields, options Options) *Switch {
	if options.Retry == 0 {
		options.Retry = time.Second
	}
	s := &Switch{options: options, now: now, consumers: map[Key][]*consumer{}, rows: map[Key]Fields{}}
	maps.Copy(s.rows, config)
	s.mac = s.rows[Key{DB: Config, Table: "DEVICE_METADATA", Name: "localhost"}]["mac"]
	s.kernel = newKernel()
	s.effect(ResetKernel{s.mac})
	s.startOrchagent()
	s.startPortsyncd()
	s.startPortmgrd()
	s.startVlanmgrd()
	s.startVrfmgrd()
	s.startIntfmgrd()
	s.startVxlanmgrd()
	for _, key := range slices.SortedFunc(maps.Keys(config), compareKeys) {
		s.arrive(event{key: key})
	}
	return s
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Sub, b.Sub))
}

// Configure tells of an event on a row of CONFIG_DB: deleted is what the event says, row what the database holds now, nil for nothing. Both are
// needed: a row that is deleted and written again in one transaction is two events, and holds the new fields at both.
func (s *Switch) Configure(now time.Time, key Key, deleted bool, row Fields) {
	s.Advance(now)
	if row == nil {
		delete(s.rows, key)
	} else {
		s.rows[key] = maps.Clone(row)
	}
	s.arrive(event{key: key, delete: deleted})
}

// Next tells when the switch has something to do; ok is false if it waits for a change.
func (s *Switch) Next() (at time.Time, ok bool) {
	d, c := s.next()
	if d == nil {
		return time.Time{}, false
	}
	return due(d, c), true
}

// Advance lets the switch do what is due until now.
func (s *Switch) Advance(now time.Time) {
	for {
		d, c := s.next()
		if d == nil || due(d, c).After(now) {
			break
		}
		if at := due(d, c); at.After(s.now) {
			s.now = at
		}
		s.work(d, c)
	}
	if now.After(s.now) {
		s.now = now
	}
}

// Effects returns what the switch has done since the last call.
func (s *Switch) Effects() []Effect {
	effects := s.effects
	s.effects = nil
	return effects
}

// Dead reports whether a daemon has died.
func (s *Switch) Dead() bool { return s.dead }

// Row returns a row of any database, nil if there is none.
func (s *Switch) Row(key Key) Fields { return s.rows[key] }

// keys returns the keys of a table's rows, sorted.
func (s *Switch) keys(db DB, table string) []Key {
	var found []Key
	for key := range s.rows {
		if key.DB == db && key.Table == table {
			found = append(found, key)
		}
	}
	slices.SortFunc(found, compareKeys)
	return found
}

// next returns the daemon that has the earliest work, and the table at which it has arrived, nil for open tasks.
func (s *Switch) next() (first *daemon, at *consumer) {
	if s.dead {
		return nil, nil
	}
	for _, d := range s.daemons {
		for _, c := range append(slices.Clone(d.consumers), nil) {
			if t := due(d, c); !t.IsZero() && (first == nil || t.Before(due(first, at))) {
				first, at = d, c
			}
		}
	}
	return first, at
}

func due(d *daemon, c *consumer) time.Time {
	if c == nil {
		return d.retry
	}
	return c.wake
}

func (s *Switch) effect(e Effect) {
	if !s.dead {
		s.effects = append(s.effects, e)
	}
}

func (s *Switch) log(daemon, text string) { s.effect(Logged{daemon, text}) }

// die ends the switch.
func (s *Switch) die(daemon, why string) {
	s.effect(Died{daemon, why})
	s.dead = true
}

func (s *Switch) setRow(key Key, fields Fields) {
	if len(fields) == 0 {
		fields = empty
	}
	s.rows[key] = s.rows[key].merge(fields)
	s.effect(SetRow{key, fields})
}

func (s *Switch) deleteRow(key Key) {
	if _, ok := s.rows[key]; ok {
		delete(s.rows, key)
		s.effect(DeleteRow{key})
	}
}

// produce hands a row to the daemon behind APPL_DB.
func (s *Switch) produce(table, name, sub string, fields Fields) {
	if len(fields) == 0 {
		fields = empty
	}
	s.arrive(event{key: Key{Appl, table, name, sub}, fields: maps.Clone(fields)})
}

func (s *Switch) unproduce(table, name, sub string) {
	s.arrive(event{key: Key{Appl, table, name, sub}, delete: true})
}

// state is the key of a row of STATE_DB.
func state(table, name string) Key { return Key{DB: State, Table: table, Name: name} }

func (s *Switch) has(key Key) bool {
	_, ok := s.rows[key]
	return ok
}
