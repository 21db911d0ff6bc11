package core

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// How a daemon hears of changes. (sonic-swss orchagent/orch.cpp, Consumer; sonic-swss-common subscriberstatetable.cpp and
// consumer_state_table_pops.lua.)
//
// A daemon subscribes to tables. What has arrived is taken when the daemon comes to it, the whole batch at once, and joins the tasks that are
// open: at most a DEL and a SET of each key, in that order. Tasks are done sorted by key, whatever the order in which they arrived. A task that
// cannot be done yet stays, and is tried again with the daemon's next work, or after a second without any.

// task is one change that a daemon has to carry out.
type task struct {
	key    Key
	delete bool
	fields Fields
}

// taskKey sorts a key's DEL before its SET.
type taskKey struct {
	id  string
	set bool
}

func compareTasks(a, b taskKey) int {
	if c := cmp.Compare(a.id, b.id); c != 0 || a.set == b.set {
		return c
	}
	if a.set {
		return 1
	}
	return -1
}

// event is a change that has arrived.
type event struct {
	key    Key
	delete bool
	fields Fields // of APPL_DB; a row of CONFIG_DB is read when the event is taken
}

// handler carries out a task and reports whether that is done; if not, the task stays.
type handler func(t *task) (done bool)

// consumer is one table that a daemon has subscribed to.
type consumer struct {
	daemon  *daemon
	db      DB
	table   string
	handle  handler
	arrived []event
	tasks   map[taskKey]*task
	wake    time.Time // when the daemon takes what has arrived; zero if nothing has
}

// daemon is one process of the switch.
type daemon struct {
	name      string
	consumers []*consumer
	retry     time.Time // when it tries its open tasks again; zero if it has none
}

func (s *Switch) daemon(name string) *daemon {
	d := &daemon{name: name}
	s.daemons = append(s.daemons, d)
	return d
}

func (s *Switch) subscribe(d *daemon, db DB, table string, handle handler) {
	c := &consumer{daemon: d, db: db, table: table, handle: handle, tasks: map[taskKey]*task{}}
	d.consumers = append(d.consumers, c)
	at := Key{DB: db, Table: table}
	s.consumers[at] = append(s.consumers[at], c)
}

// arrive hands an event to all that subscribed to its table.
func (s *Switch) arrive(e event) {
	for _, c := range s.consumers[Key{DB: e.key.DB, Table: e.key.Table}] {
		if c.db == Appl {
			c.coalesce(e)
		} else {
			c.arrived = append(c.arrived, e)
		}
		if c.wake.IsZero() {
			c.wake = s.now.Add(s.options.Delay(c.daemon.name, c.table))
		}
	}
}

// coalesce joins an event of APPL_DB with what is waiting for the same key: the producer writes a set of keys and the row's new fields, and not a
// list of events. A deletion followed by new fields arrives as new fields and nothing else.
func (c *consumer) coalesce(e event) {
	i := slices.IndexFunc(c.arrived, func(a event) bool { return a.key == e.key })
	switch {
	case i < 0:
		c.arrived = append(c.arrived, e)
	case e.delete:
		c.arrived[i] = e
	default:
		c.arrived[i] = event{key: e.key, delete: c.arrived[i].delete, fields: c.arrived[i].fields.merge(e.fields)}
	}
}

// take turns what has arrived into tasks.
func (s *Switch) take(c *consumer) {
	for _, e := range c.arrived {
		if c.db == Config {
			row, there := s.rows[e.key]
			switch {
			case e.delete:
				c.add(task{key: e.key, delete: true})
			case there:
				c.add(task{key: e.key, fields: maps.Clone(row)})
			}
			continue
		}
		// APPL_DB's rows become visible when they are taken.
		if e.delete {
			s.deleteRow(e.key)
		}
		if e.fields != nil {
			s.setRow(e.key, e.fields)
		}
		c.add(task{key: e.key, delete: e.fields == nil, fields: e.fields})
	}
	c.arrived, c.wake = nil, time.Time{}
}

func (c *consumer) add(t task) {
	at := taskKey{t.key.id(), !t.delete}
	if t.delete {
		delete(c.tasks, taskKey{at.id, true})
	} else if open, ok := c.tasks[at]; ok {
		t.fields = open.fields.merge(t.fields)
	}
	c.tasks[at] = &t
}

// work lets a daemon do what has arrived at one of its tables (nil: nothing has), and then try all that is open.
func (s *Switch) work(d *daemon, woken *consumer) {
	if woken != nil {
		s.take(woken)
		s.process(woken)
	}
	for _, c := range d.consumers {
		if c != woken {
			s.process(c)
		}
	}
	d.retry = time.Time{}
	for _, c := range d.consumers {
		if len(c.tasks) > 0 {
			d.retry = s.now.Add(s.options.Retry)
		}
	}
}

func (s *Switch) process(c *consumer) {
	for _, at := range slices.SortedFunc(maps.Keys(c.tasks), compareTasks) {
		if s.dead {
			return
		}
		if t, ok := c.tasks[at]; ok && c.handle(t) {
			delete(c.tasks, at)
		}
	}
}
